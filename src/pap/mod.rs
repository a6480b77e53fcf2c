//! Policy sources: where policy text comes from, and how a change of it is noticed.
//!
//! | module | what it does |
//! |---|---|
//! | `scan` | walks the directory: which files there are, and a stamp of each |
//! | `disk` | reads the files of a scan |
//! | `watch` | notices changes, by events of the file system and by repeated scans |
//! | `archive` | keeps each set that went live |

mod archive;
mod disk;
mod scan;
mod watch;

pub use archive::Archive;
pub use disk::Disk;
pub use watch::Watch;

#[cfg(test)]
mod tests;
