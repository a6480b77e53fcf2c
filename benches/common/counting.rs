//! An allocator that counts what another one is asked for.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicUsize, Ordering};

/// How often memory was asked for.
pub(crate) static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
/// Bytes in use.
pub(crate) static BYTES: AtomicUsize = AtomicUsize::new(0);

/// The other allocator, counting.
pub(crate) struct Counting<A>(pub(crate) A);

#[expect(unsafe_code, reason = "an allocator cannot be written otherwise; every call goes on unchanged")]
// SAFETY: both functions forward to an allocator with the arguments they were given.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `at` was allocated above with this layout.
        unsafe { self.0.dealloc(at, layout) }
    }
}

/// How often `run` asks for memory.
pub(crate) fn allocations(run: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    run();
    ALLOCATIONS.load(Ordering::Relaxed) - before
}
