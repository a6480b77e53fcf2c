//! Two futures in one task, where one has something to do much more rarely than the other.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Which of two futures ended first.
pub(super) enum First<T> {
    /// The one that mattered.
    Main,
    /// The one beside it, with this.
    Beside(T),
}

/// Polls `main` until it or `side` ends. `side` is polled only after it has woken the task, not whenever `main` has.
pub(super) async fn beside<M: Future, S: Future>(
    mut main: Pin<&mut M>,
    mut side: Pin<&mut S>,
) -> First<S::Output> {
    let mut bell: Option<Arc<Bell>> = None;
    poll_fn(move |cx| {
        let bell = match bell.take().filter(|bell| bell.task.will_wake(cx.waker())) {
            Some(same) => bell.insert(same),
            None => bell.insert(Bell::of(cx)),
        };
        if bell.rung.load(Ordering::Relaxed) && bell.rung.swap(false, Ordering::AcqRel) {
            let waker = Waker::from(Arc::clone(bell));
            if let Poll::Ready(output) = side.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Poll::Ready(First::Beside(output));
            }
        }
        main.as_mut().poll(cx).map(|_| First::Main)
    })
    .await
}

/// Tells that the side future has woken `task`.
struct Bell {
    rung: AtomicBool,
    task: Waker,
}

impl Bell {
    fn of(cx: &Context<'_>) -> Arc<Self> {
        Arc::new(Self { rung: AtomicBool::new(true), task: cx.waker().clone() })
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn side_is_polled_first_and_then_only_when_it_has_woken() {
        let mut polls = 0;
        let counted = pin!(poll_fn(|_| {
            polls += 1;
            Poll::<()>::Pending
        }));
        let main = pin!(async {
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
        });
        assert!(matches!(beside(main, counted).await, First::Main));
        assert_eq!(polls, 1);
    }

    #[tokio::test]
    async fn whichever_ends_first_ends_both() {
        let late = pin!(async {
            sleep(Duration::from_millis(1)).await;
            7
        });
        assert!(matches!(beside(pin!(pending::<()>()), late).await, First::Beside(7)));
        assert!(matches!(beside(pin!(ready(1)), pin!(pending::<()>())).await, First::Main));
    }
}
