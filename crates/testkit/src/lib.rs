//! Dev-only helpers: server process handle, simulated disks, long-running trials.
