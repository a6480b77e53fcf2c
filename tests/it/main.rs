//! All integration tests, one binary: each module is one part of the server seen from outside.

mod cli;
mod http;
mod image;
