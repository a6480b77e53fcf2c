//! Work beside the answering of calls: it takes second place, and gives back what it used.

use std::ffi::c_int;

// Links the allocator also where it is not in use, as in tests.
use mimalloc as _;

/// How far work in the background steps back: it gets a third of what a thread gets that answers calls.
const NICENESS: c_int = 5;

/// How far work steps back that nobody waits for: it gets what is left over.
const LAST: c_int = 19;

/// Lets other threads go first from now on. What the system refuses does no harm.
pub(crate) fn yield_to_others() {
    step_back(NICENESS);
}

/// Lets all other threads go first from now on, also those that yield. What the system refuses does no harm.
pub(crate) fn come_last() {
    step_back(LAST);
}

fn step_back(niceness: c_int) {
    #[cfg(target_os = "linux")]
    #[expect(unsafe_code, reason = "the standard library knows no priorities")]
    // SAFETY: the call takes no pointers. On Linux, 0 stands for the calling thread, not for its process.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, niceness);
    }
}

/// Gives memory that the calling thread has freed back to the system.
pub(crate) fn give_back() {
    #[expect(unsafe_code, reason = "the crate of the allocator does not say this in Rust")]
    // SAFETY: declared as in `mimalloc.h` of the allocator that this crate is linked with; it may be called at any time.
    unsafe {
        mi_collect(true);
    }
}

#[expect(unsafe_code, reason = "the crate of the allocator does not say this in Rust")]
// SAFETY: as in `mimalloc.h`.
unsafe extern "C" {
    fn mi_collect(force: bool);
}
