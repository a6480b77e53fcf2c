//! Fetches the events of one stream (RFC 8936): asks, has each event taken, and tells with the next request what became of
//! it. What is not acknowledged comes again, so nothing is lost whenever either side ends; what comes again changes nothing.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::ask::{self, Asker, Question};
use super::batch::{Batch, Owed};
use super::failure::Failure;
use super::pause::Pauses;
use super::settings::StreamTiming;
use super::standing::{Concern, Standing};
use super::stopped;
use crate::ports::{NotTaken, SetFault, SetIntake};

/// Largest answer, in bytes. If it has more, less is asked for.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Fetches the events of one stream.
pub(super) struct Poller {
    pub(super) standing: Arc<Standing>,
    pub(super) asker: Arc<Asker>,
    pub(super) intake: Arc<dyn SetIntake>,
    pub(super) timing: StreamTiming,
    /// Most events of one answer.
    pub(super) max_events: usize,
}

/// What is remembered from one request to the next.
struct Course {
    /// Where events are asked for; `None` as long as that is not known.
    url: Option<String>,
    owed: Owed,
    /// How many events are asked for.
    events: usize,
    /// Whether the transmitter must answer at once: it has more, or it is to show that it is there.
    at_once: bool,
    pauses: Pauses,
}

impl Poller {
    /// Runs until it is stopped; then it tells what it owes. `place` is where it asks, as soon as that is known.
    pub(super) async fn run(
        self,
        mut place: watch::Receiver<Option<String>>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut course = Course {
            url: None,
            owed: Owed::default(),
            events: self.max_events,
            at_once: false,
            pauses: Pauses::default(),
        };
        loop {
            course.url.clone_from(&place.borrow_and_update());
            let asked = Instant::now();
            let answer = tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                changed = place.changed() => if changed.is_ok() { continue } else { break },
                answer = self.ask(&course) => answer,
            };
            let pause = match answer {
                Ok(batch) => self.take(batch, &mut course, asked).await,
                Err(failure) => self.fail(&failure, &mut course),
            };
            if pause > Duration::ZERO {
                tokio::select! {
                    () = stopped(&mut stop) => break,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
        self.tell(&mut course).await;
    }

    /// The next events. Never resolves without a place.
    async fn ask(&self, course: &Course) -> Result<Batch, Failure> {
        let Some(url) = &course.url else { return std::future::pending().await };
        let body = course.owed.request(course.events, course.at_once);
        let deadline = if course.at_once { self.timing.answer } else { self.timing.long_poll };
        self.send(url, &body, deadline).await
    }

    async fn send(&self, url: &str, body: &serde_json::Value, deadline: Duration) -> Result<Batch, Failure> {
        let question = Question { method: Method::POST, url, body: Some(body), deadline, most: MAX_BYTES };
        let answer = self.asker.ask(&question).await?;
        // Who acknowledges only may be answered without content.
        if answer.body.is_empty() { Ok(Batch::default()) } else { ask::json(&answer) }
    }

    /// Has each event taken. Returns how long to wait for more.
    async fn take(&self, batch: Batch, course: &mut Course, asked: Instant) -> Duration {
        self.standing.answered();
        let told = std::mem::take(&mut course.owed);
        let is_empty = batch.sets.is_empty();
        let is_news = batch.sets.iter().any(|(jti, _)| !told.holds(jti));
        course.at_once = batch.more && !is_empty;
        course.events = course.events.saturating_mul(2).min(self.max_events);
        if let Some(reason) = self.take_all(batch, &mut course.owed).await {
            self.standing.set(Concern::Delivery, Some(format!("events have to wait: {reason}")));
            // It may be long until the next request.
            self.tell(course).await;
            return course.pauses.not_now(&self.timing);
        }
        if !is_empty && !is_news {
            let trouble = "the transmitter sends again what was acknowledged";
            self.standing.set(Concern::Delivery, Some(trouble.to_owned()));
            return course.pauses.not_now(&self.timing);
        }
        self.standing.set(Concern::Delivery, None);
        course.pauses.reset();
        // Who answers at once though there is nothing is not asked all the time.
        if is_empty { self.timing.shortest_pause.saturating_sub(asked.elapsed()) } else { Duration::ZERO }
    }

    /// Has the events of `batch` taken side by side, so that they share the way to the disk. Returns why some have to wait.
    async fn take_all(&self, batch: Batch, owed: &mut Owed) -> Option<String> {
        let mut taking = JoinSet::new();
        for (jti, set) in batch.sets.into_iter().take(self.max_events) {
            let Some(set) = set else {
                owed.refuse(jti, SetFault::InvalidRequest, "the SET is not a JSON string".to_owned());
                continue;
            };
            let (intake, stream) = (Arc::clone(&self.intake), Arc::clone(&self.standing.name));
            taking.spawn(async move {
                let outcome = intake.take(&stream, &set).await;
                (jti, outcome)
            });
        }
        let mut waits = None;
        while let Some(taken) = taking.join_next().await {
            match taken {
                Ok((jti, Ok(()))) => owed.take(jti),
                Ok((jti, Err(NotTaken::Refused { fault, reason }))) => owed.refuse(jti, fault, reason),
                Ok((_, Err(NotTaken::NotNow(reason)))) => waits = Some(reason),
                // A panic has been logged.
                Err(_) => waits = Some("an event could not be looked at".to_owned()),
            }
        }
        waits
    }

    /// Returns how long to wait after `failure`.
    fn fail(&self, failure: &Failure, course: &mut Course) -> Duration {
        if failure.is_too_large() && course.events > 1 {
            course.events /= 2;
            return Duration::ZERO;
        }
        // No event has come, or nobody is there: that is found out by a request which is to be answered at once.
        if failure.is_late() && !course.at_once {
            course.at_once = true;
            return Duration::ZERO;
        }
        self.standing.set(Concern::Delivery, Some(failure.told()));
        course.pauses.after(failure, &self.timing)
    }

    /// Tells what is owed without asking for more.
    async fn tell(&self, course: &mut Course) {
        let Some(url) = course.url.as_ref().filter(|_| !course.owed.is_empty()) else { return };
        // What cannot be told now is told later, or those events come again.
        if self.send(url, &course.owed.request(0, true), self.timing.answer).await.is_ok() {
            course.owed = Owed::default();
        }
    }
}
