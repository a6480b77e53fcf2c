//! Keeps one stream at its transmitter as it is configured: finds out where the transmitter is asked, finds or makes the
//! stream, changes what differs, and has the transmitter show now and then that its events arrive.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::ask::Asker;
use super::configuration::{Configuration, Wanted};
use super::credential;
use super::failure::Failure;
use super::management::Management;
use super::pause::Pauses;
use super::settings::{DeliverySettings, ManagementSettings, StreamSettings, StreamTiming};
use super::standing::{Concern, Standing};
use super::stopped;
use crate::discovery::Metadata;
use crate::outgoing::jittered;
use crate::ports::{ControlError, Delivery, SetIntake, StreamStatus};

/// Keeps one stream at its transmitter.
pub(super) struct Keeper {
    pub(super) settings: StreamSettings,
    pub(super) management: ManagementSettings,
    pub(super) timing: StreamTiming,
    pub(super) standing: Arc<Standing>,
    pub(super) asker: Arc<Asker>,
    pub(super) intake: Arc<dyn SetIntake>,
    /// Where the poller learns where it is to ask.
    pub(super) place: Arc<watch::Sender<Option<String>>>,
    /// Tells that something is to be looked at earlier than was thought.
    pub(super) wake: Notify,
    pub(super) known: Mutex<Known>,
}

/// What is known of the stream.
#[derive(Default)]
pub(super) struct Known {
    /// Where the transmitter is asked, and how it names the stream.
    stream: Option<(Arc<Metadata>, String)>,
    /// The `Authorization` that the transmitter was last told to send.
    told: Option<String>,
    /// The shortest time between two verifications.
    verification_interval: Duration,
    /// When the next one is due.
    next_verification: Option<Instant>,
    /// The state of one that has not come yet, and until when it may.
    awaited: Option<(String, Instant)>,
    /// Whether somebody has deleted the stream.
    is_deleted: bool,
}

impl Keeper {
    /// Runs until it is stopped.
    pub(super) async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut pauses = Pauses::default();
        loop {
            let outcome = tokio::select! {
                biased;
                () = stopped(&mut stop) => return,
                outcome = self.look() => outcome,
            };
            self.standing.set(Concern::Management, outcome.as_ref().err().map(Failure::told));
            let pause = match &outcome {
                Ok(()) => {
                    pauses.reset();
                    jittered(self.timing.refresh)
                }
                Err(failure) => pauses.after(failure, &self.timing),
            };
            tokio::select! {
                () = stopped(&mut stop) => return,
                () = self.verify_until(Instant::now() + pause) => {}
            }
        }
    }

    /// Asks for a verification event.
    pub(super) async fn verify(&self) -> Result<(), ControlError> {
        let (metadata, id) = self.stream()?;
        self.ask_for_verification(&metadata, &id).await?;
        self.wake.notify_one();
        Ok(())
    }

    /// Asks for another status.
    pub(super) async fn set_status(
        &self,
        status: StreamStatus,
        reason: Option<&str>,
    ) -> Result<StreamStatus, ControlError> {
        let (metadata, id) = self.stream()?;
        let status = self.asking(&metadata).set_status(&id, status, reason).await?;
        self.standing.has_status(status);
        Ok(status)
    }

    /// Asks for the events about `subject`.
    pub(super) async fn add_subject(
        &self,
        subject: &serde_json::Value,
        verified: Option<bool>,
    ) -> Result<(), ControlError> {
        let (metadata, id) = self.stream()?;
        Ok(self.asking(&metadata).add_subject(&id, subject, verified).await?)
    }

    /// Asks for no more events about `subject`.
    pub(super) async fn remove_subject(&self, subject: &serde_json::Value) -> Result<(), ControlError> {
        let (metadata, id) = self.stream()?;
        Ok(self.asking(&metadata).remove_subject(&id, subject).await?)
    }

    /// Deletes the stream, for good.
    pub(super) async fn delete(&self) -> Result<(), ControlError> {
        let (metadata, id) = self.stream()?;
        self.asking(&metadata).delete(&id).await?;
        self.known().is_deleted = true;
        self.forget();
        Ok(())
    }

    /// Sees to it that the stream is there and as it should be.
    async fn look(&self) -> Result<(), Failure> {
        if self.known().is_deleted {
            return Err(Failure::NoStream(
                "the stream was deleted from here; it is made again after a restart",
            ));
        }
        let metadata = self.settings.place.metadata(&self.asker.client, self.timing.answer).await?;
        let metadata = Arc::new(metadata);
        let wanted = self.wanted()?;
        let found = self.found_or_made(&metadata, &wanted).await?;
        let found = self.as_wanted(&metadata, &wanted, found).await?;
        self.adopt(&metadata, &wanted, &found);
        if let Some(status) = self.asking(&metadata).status(&found.stream_id).await? {
            self.standing.has_status(status);
        }
        self.standing.answered();
        Ok(())
    }

    async fn found_or_made(
        &self,
        metadata: &Metadata,
        wanted: &Wanted<'_>,
    ) -> Result<Configuration, Failure> {
        let asking = self.asking(metadata);
        let known = self.known().stream.as_ref().map(|(_, id)| id.clone());
        if let Some(id) = known {
            if let Some(found) = asking.read(&id).await? {
                return Ok(found);
            }
            self.forget();
        }
        if let Some(found) = asking.list().await?.into_iter().find(|found| wanted.is(found)) {
            return Ok(found);
        }
        if !self.management.create {
            let why = "the transmitter has no stream for us: create it there, or set `transmitter.create`";
            return Err(Failure::NoStream(why));
        }
        if let Some(made) = asking.create(&wanted.creation()).await? {
            self.known().told.clone_from(&wanted.header);
            return Ok(made);
        }
        // There is one, and if there is only one it must be ours, whatever it is like.
        let mut others = asking.list().await?.into_iter();
        let why = "the transmitter makes no stream since it has one (409), and does not tell which: delete it there";
        others.next().filter(|_| others.next().is_none()).ok_or(Failure::NoStream(why))
    }

    /// The stream after what differs is changed.
    async fn as_wanted(
        &self,
        metadata: &Metadata,
        wanted: &Wanted<'_>,
        found: Configuration,
    ) -> Result<Configuration, Failure> {
        let told = self.known().told.clone();
        let Some(changes) = wanted.changes(&found, told.as_deref()) else { return Ok(found) };
        let all = wanted.replacement(&found.stream_id);
        let changed = self.asking(metadata).update(&changes, &all).await?;
        self.known().told.clone_from(&wanted.header);
        Ok(changed.unwrap_or(found))
    }

    /// Takes note of what the stream is like, and has events fetched if they will not be refused.
    fn adopt(&self, metadata: &Arc<Metadata>, wanted: &Wanted<'_>, found: &Configuration) {
        let mut mismatch = wanted.mismatch(found);
        let url = found.delivery.endpoint_url.clone();
        let mut place = None;
        if let DeliverySettings::Poll { url: own, .. } = &self.settings.delivery {
            place = own.clone().or(url.filter(|url| self.settings.place.vouches_for(url)));
            if place.is_none() && mismatch.is_none() {
                mismatch = Some("the transmitter names no URL for polls that may be asked".to_owned());
            }
        }
        self.go_to(place.filter(|_| mismatch.is_none()));
        self.standing.is_set_up(&found.stream_id, found.delivered());
        self.standing.set(Concern::Configuration, mismatch.or_else(|| wanted.missing(found)));
        let mut known = self.known();
        known.verification_interval =
            Duration::from_secs(found.min_verification_interval.unwrap_or_default());
        if known.stream.is_none() && metadata.verification_endpoint.is_some() {
            known.next_verification = Some(Instant::now());
        }
        known.stream = Some((Arc::clone(metadata), found.stream_id.clone()));
    }

    /// Asks for verification events when they are due, and looks whether they have come, until `end`.
    async fn verify_until(&self, end: Instant) {
        loop {
            let now = Instant::now();
            let (awaited, next) = {
                let known = self.known();
                (known.awaited.clone(), known.next_verification)
            };
            if let Some((state, _)) = awaited.as_ref().filter(|(_, until)| *until <= now) {
                self.judge(state);
            } else if next.is_some_and(|next| next <= now) {
                self.verify_on_schedule().await;
            } else if end <= now {
                return;
            } else {
                let earliest =
                    [awaited.map(|(_, until)| until), next].into_iter().flatten().fold(end, Instant::min);
                tokio::select! {
                    () = self.wake.notified() => {}
                    () = tokio::time::sleep_until(earliest) => {}
                }
            }
        }
    }

    async fn verify_on_schedule(&self) {
        let (stream, interval) = {
            let known = self.known();
            (known.stream.clone(), known.verification_interval)
        };
        let every = self.management.verify_every.map(|every| Instant::now() + jittered(every).max(interval));
        self.known().next_verification = every;
        let Some((metadata, id)) = stream else { return };
        if let Err(failure) = self.ask_for_verification(&metadata, &id).await {
            self.standing.set(Concern::Verification, Some(format!("no verification: {}", failure.told())));
            self.verify_again();
        }
    }

    async fn ask_for_verification(&self, metadata: &Metadata, id: &str) -> Result<(), Failure> {
        let state = Uuid::now_v7().simple().to_string();
        self.intake.expect_verification(&self.standing.name, state.clone());
        self.standing.asks_for_verification();
        self.asking(metadata).verify(id, &state).await?;
        self.known().awaited = Some((state, Instant::now() + self.timing.verification));
        Ok(())
    }

    /// Whether the verification event with `state` has come in time.
    fn judge(&self, state: &str) {
        self.known().awaited = None;
        let is_missing = self.intake.awaits_verification(&self.standing.name, state);
        let after = self.timing.verification;
        let trouble = is_missing.then(|| format!("no verification event has come within {after:?}"));
        self.standing.set(Concern::Verification, trouble);
        if is_missing {
            self.verify_again();
        }
    }

    fn verify_again(&self) {
        let mut known = self.known();
        let again = Instant::now() + jittered(self.timing.longest_pause).max(known.verification_interval);
        known.next_verification = Some(known.next_verification.map_or(again, |next| next.min(again)));
    }

    fn wanted(&self) -> Result<Wanted<'_>, Failure> {
        let (settings, management) = (&self.settings, &self.management);
        let (delivery, url, header) = match &settings.delivery {
            DeliverySettings::Push { url, authorization } => {
                let header = authorization.as_ref().map(credential::text).transpose()?;
                (Delivery::Push, Some(url.as_str()), header)
            }
            DeliverySettings::Poll { .. } => (Delivery::Poll, None, None),
        };
        Ok(Wanted { settings, management, delivery, url, header })
    }

    fn asking<'a>(&'a self, metadata: &'a Metadata) -> Management<'a> {
        Management { asker: &self.asker, metadata, timing: &self.timing }
    }

    fn stream(&self) -> Result<(Arc<Metadata>, String), ControlError> {
        self.known().stream.clone().ok_or_else(|| {
            let stream = self.standing.name.to_string();
            let troubles = self.standing.connection().troubles;
            let trouble = troubles.into_iter().next().unwrap_or_else(|| "it was not asked yet".to_owned());
            ControlError::NotReady { stream, trouble }
        })
    }

    fn forget(&self) {
        {
            let mut known = self.known();
            (known.stream, known.told, known.awaited, known.next_verification) = (None, None, None, None);
        }
        self.standing.is_gone();
        self.go_to(None);
    }

    /// Has events fetched there.
    fn go_to(&self, place: Option<String>) {
        self.place.send_if_modified(|current| {
            let is_new = *current != place;
            *current = place;
            is_new
        });
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
