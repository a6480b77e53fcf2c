//! The receiver's own requests to transmitters of security events (Shared Signals Framework 1.0): streams are set up and
//! looked after, and those that are polled are fetched. Every stream has tasks of its own; none waits for another.
//!
//! | file | what |
//! |---|---|
//! | `keeper.rs` | one stream is kept as configured at its transmitter, and verified |
//! | `management.rs`, `configuration.rs` | what the management API does; what a stream is like there |
//! | `poll.rs`, `batch.rs` | events are fetched, taken and acknowledged |
//! | `ask.rs`, `credential.rs` | one request, and who makes it |
//! | `failure.rs`, `pause.rs` | why one failed, and how long to wait then |
//! | `standing.rs` | what is known of a stream |

mod ask;
mod batch;
mod configuration;
mod credential;
mod failure;
#[cfg(fuzzing)]
pub mod fuzzing;
mod keeper;
mod management;
mod pause;
mod poll;
mod settings;
mod standing;

pub use settings::{Authorization, DeliverySettings, ManagementSettings, StreamSettings, StreamTiming};

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use self::ask::Asker;
use self::credential::Credential;
use self::keeper::{Keeper, Known};
use self::poll::Poller;
use self::standing::Standing;
use crate::outgoing::{Client, Trust};
use crate::ports::{Asking, Clock, ControlError, SetIntake, StreamConnection, StreamControl, StreamStatus};

/// The connections to transmitters. They end when this is dropped.
pub struct Streams {
    connected: Vec<Connected>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// One stream.
struct Connected {
    standing: Arc<Standing>,
    keeper: Option<Arc<Keeper>>,
    /// Where it is polled. The poller ends when this is gone.
    _place: Arc<watch::Sender<Option<String>>>,
}

impl Streams {
    /// Connects to the transmitters of `streams`, on the runtime it is called on. It waits for none of them: no transmitter
    /// can keep the server from starting. What is pushed and set up by hand needs no connection and is passed over.
    ///
    /// # Errors
    /// If one is to be asked with encryption, and the system has no certificate authorities.
    pub fn start(
        streams: Vec<StreamSettings>,
        timing: StreamTiming,
        intake: &Arc<dyn SetIntake>,
        clock: &Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let mut started =
            Self { connected: Vec::new(), stop: watch::channel(false).0, tasks: Mutex::default() };
        for settings in streams {
            if settings.management.is_some() || matches!(settings.delivery, DeliverySettings::Poll { .. }) {
                let standing = Standing::new(&settings, Arc::clone(clock), Arc::clone(intake));
                started.connect(settings, timing, intake, Arc::new(standing))?;
            }
        }
        Ok(started)
    }

    /// Ends: events that are being taken are taken, and what is taken is acknowledged, all within `patience`. What is not
    /// done then is done after the next start.
    pub async fn stop(&self, patience: Duration) {
        self.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let end = tokio::time::Instant::now() + patience;
        for mut task in tasks {
            if tokio::time::timeout_at(end, &mut task).await.is_err() {
                task.abort();
            }
        }
    }

    fn connect(
        &mut self,
        settings: StreamSettings,
        timing: StreamTiming,
        intake: &Arc<dyn SetIntake>,
        standing: Arc<Standing>,
    ) -> io::Result<()> {
        let managed_as = settings.management.as_ref().and_then(|management| management.authorization.clone());
        let mut place = None;
        let mut polled = None;
        if let DeliverySettings::Poll { url, authorization, max_events } = &settings.delivery {
            // Where a stream is managed its transmitter is asked first whether its events are for us at all.
            place = url.clone().filter(|_| settings.management.is_none());
            polled = Some((authorization.clone().or_else(|| managed_as.clone()), *max_events));
        }
        let place = Arc::new(watch::channel(place).0);
        let client = client(&settings)?;
        let asker = |authorization| {
            Arc::new(Asker { client: client.clone(), credential: Credential::new(authorization) })
        };
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((authorization, max_events)) = polled {
            let poller = Poller {
                standing: Arc::clone(&standing),
                asker: asker(authorization),
                intake: Arc::clone(intake),
                timing,
                max_events: max_events.max(1),
            };
            tasks.push(tokio::spawn(poller.run(place.subscribe(), self.stop.subscribe())));
        }
        let keeper = settings.management.clone().map(|management| {
            let keeper = Keeper {
                settings,
                management,
                timing,
                standing: Arc::clone(&standing),
                asker: asker(managed_as),
                intake: Arc::clone(intake),
                place: Arc::clone(&place),
                wake: Notify::new(),
                known: Mutex::new(Known::default()),
            };
            Arc::new(keeper)
        });
        tasks.extend(keeper.iter().map(|keeper| tokio::spawn(Arc::clone(keeper).run(self.stop.subscribe()))));
        drop(tasks);
        self.connected.push(Connected { standing, keeper, _place: place });
        Ok(())
    }

    fn keeper(&self, stream: &str) -> Result<&Keeper, ControlError> {
        let connected = self.connected.iter().find(|connected| *connected.standing.name == *stream);
        let connected = connected.ok_or_else(|| ControlError::UnknownStream(stream.to_owned()))?;
        connected.keeper.as_deref().ok_or_else(|| ControlError::Unmanaged(stream.to_owned()))
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().for_each(JoinHandle::abort);
    }
}

impl StreamControl for Streams {
    fn connections(&self) -> Vec<StreamConnection> {
        self.connected.iter().map(|connected| connected.standing.connection()).collect()
    }

    fn verify<'a>(&'a self, stream: &'a str) -> Asking<'a, ()> {
        Box::pin(async move { self.keeper(stream)?.verify().await })
    }

    fn set_status<'a>(
        &'a self,
        stream: &'a str,
        status: StreamStatus,
        reason: Option<&'a str>,
    ) -> Asking<'a, StreamStatus> {
        Box::pin(async move { self.keeper(stream)?.set_status(status, reason).await })
    }

    fn add_subject<'a>(
        &'a self,
        stream: &'a str,
        subject: &'a Value,
        verified: Option<bool>,
    ) -> Asking<'a, ()> {
        Box::pin(async move { self.keeper(stream)?.add_subject(subject, verified).await })
    }

    fn remove_subject<'a>(&'a self, stream: &'a str, subject: &'a Value) -> Asking<'a, ()> {
        Box::pin(async move { self.keeper(stream)?.remove_subject(subject).await })
    }

    fn delete<'a>(&'a self, stream: &'a str) -> Asking<'a, ()> {
        Box::pin(async move { self.keeper(stream)?.delete().await })
    }
}

/// Resolves when all is to end.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Who could say so is gone: that is the end as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// A client for the transmitter of `settings`: without encryption nobody has to be believed.
fn client(settings: &StreamSettings) -> io::Result<Client> {
    let (polled, credential) = match &settings.delivery {
        DeliverySettings::Poll { url, authorization, .. } => (url.as_deref(), authorization.as_ref()),
        DeliverySettings::Push { .. } => (None, None),
    };
    let management = settings.management.as_ref();
    let credentials = [credential, management.and_then(|management| management.authorization.as_ref())];
    let tokens = credentials.into_iter().flatten().filter_map(|credential| match credential {
        Authorization::Client { token_url, .. } => Some(token_url.as_str()),
        Authorization::Header(_) => None,
    });
    let asked = polled.into_iter().chain(management.map(|_| settings.place.url.as_str())).chain(tokens);
    let is_plain = asked.into_iter().all(|url| url.starts_with("http:"));
    Client::new(if is_plain { &Trust::Nobody } else { &Trust::System })
}
