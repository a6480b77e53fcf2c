//! The real server against what others wrote: transmitters of signals, and issuers of tokens.

mod bench;
mod issuers;
mod manage;
mod poll;
mod push;
mod transmitter;
