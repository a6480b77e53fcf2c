//! pap
