//! The decision record, version 1, and one step of its hash chain.
