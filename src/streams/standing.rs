//! What is known of one stream: shown to operators, and told to the intake.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use procura_core::model::Timestamp;

use super::settings::{DeliverySettings, StreamSettings};
use crate::ports::{Clock, Delivery, SetIntake, StreamConnection, StreamStatus};
use crate::telemetry::events::{StreamRecovered, StreamTroubled};

/// What can be wrong, each independent of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Concern {
    /// Events cannot be fetched, or not be taken.
    Delivery,
    /// The stream cannot be set up or looked at.
    Management,
    /// The stream is not as configured.
    Configuration,
    /// The transmitter does not send events.
    Status,
    /// No verification event comes.
    Verification,
}

/// What is known of one stream.
pub(super) struct Standing {
    /// Its name.
    pub(super) name: Arc<str>,
    delivery: Delivery,
    is_managed: bool,
    clock: Arc<dyn Clock>,
    intake: Arc<dyn SetIntake>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    id: Option<String>,
    status: Option<StreamStatus>,
    events: Vec<String>,
    last_answer: Option<Timestamp>,
    last_verification: Option<Timestamp>,
    troubles: BTreeMap<Concern, String>,
}

impl Standing {
    /// Nothing is known of the stream yet.
    pub(super) fn new(settings: &StreamSettings, clock: Arc<dyn Clock>, intake: Arc<dyn SetIntake>) -> Self {
        let delivery = match settings.delivery {
            DeliverySettings::Push { .. } => Delivery::Push,
            DeliverySettings::Poll { .. } => Delivery::Poll,
        };
        let (name, is_managed) = (Arc::clone(&settings.name), settings.management.is_some());
        Self { name, delivery, is_managed, clock, intake, known: Mutex::default() }
    }

    /// All of it.
    pub(super) fn connection(&self) -> StreamConnection {
        let known = self.known();
        StreamConnection {
            name: Arc::clone(&self.name),
            delivery: self.delivery,
            is_managed: self.is_managed,
            id: known.id.clone(),
            status: known.status,
            events: known.events.clone(),
            last_answer: known.last_answer,
            last_verification: known.last_verification,
            troubles: known.troubles.values().cloned().collect(),
        }
    }

    /// The transmitter has answered as it should.
    pub(super) fn answered(&self) {
        self.known().last_answer = Some(self.clock.now());
    }

    /// The transmitter names the stream so, and delivers these events.
    pub(super) fn is_set_up(&self, id: &str, events: Vec<String>) {
        let mut known = self.known();
        known.id = Some(id.to_owned());
        self.intake.named(&self.name, Some(id));
        known.events = events;
    }

    /// The transmitter knows the stream no more.
    pub(super) fn is_gone(&self) {
        let mut known = self.known();
        (known.id, known.status, known.events) = (None, None, Vec::new());
        self.intake.named(&self.name, None);
    }

    /// The transmitter says that this is the status.
    pub(super) fn has_status(&self, status: StreamStatus) {
        self.known().status = Some(status);
        let trouble = match status {
            StreamStatus::Enabled => None,
            StreamStatus::Paused => {
                Some("the transmitter holds events back: the stream is paused".to_owned())
            }
            StreamStatus::Disabled => Some("the transmitter drops events: the stream is disabled".to_owned()),
        };
        self.set(Concern::Status, trouble);
    }

    /// A verification event is asked for.
    pub(super) fn asks_for_verification(&self) {
        self.known().last_verification = Some(self.clock.now());
    }

    /// What is wrong about `concern` now, if anything. Told only if it was otherwise before.
    pub(super) fn set(&self, concern: Concern, trouble: Option<String>) {
        let mut known = self.known();
        if known.troubles.get(&concern) == trouble.as_ref() {
            return;
        }
        match &trouble {
            Some(trouble) => StreamTroubled { stream: &self.name, concern: concern.as_str(), trouble }.emit(),
            None => StreamRecovered { stream: &self.name, concern: concern.as_str() }.emit(),
        }
        match trouble {
            Some(trouble) => known.troubles.insert(concern, trouble),
            None => known.troubles.remove(&concern),
        };
        let all: Vec<&str> = known.troubles.values().map(String::as_str).collect();
        // Told under the lock, so that the last that is told is the last that was so.
        self.intake.connection(&self.name, (!all.is_empty()).then(|| all.join("; ")));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Concern {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Delivery => "delivery",
            Self::Management => "management",
            Self::Configuration => "configuration",
            Self::Status => "status",
            Self::Verification => "verification",
        }
    }
}
