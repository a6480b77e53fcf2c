//! What decisions may have changed about, as server-sent events: so that whoever does something for long can ask again.
//!
//! For callers that may do [`Action::Changes`]. A listener that comes back with the id of an event hears what has changed
//! since; if that is not known any more, or policies or quarantines are others now, it is told to ask again about everything.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use procura_core::model::Entity;
use procura_core::value::hex;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::time::sleep;

use super::Services;
use super::error::Refusal;
use super::facts::{About, about, entities};
use super::json::Invalid;
use super::listener::{LAST_EVENT_ID, Listener, Wish};
use super::routes::{Place, Route};
use crate::pdp::Action;
use crate::pdp::webhooks::FactOffice;
use crate::ports::Change;

/// Most changes that are read at a time.
const BATCH: usize = 64;

/// How often a listener is looked after without a change.
const TICK: Duration = Duration::from_millis(500);

/// After how many of these the connection is shown to stand.
const QUIET: u32 = 20;

pub(super) fn routes() -> Vec<Route> {
    vec![Place::needing(Action::Changes, "/api/changes").with(get(changes))]
}

async fn changes(wish: Wish) -> Result<Response, Refusal> {
    let wanted = entities(wish.request.uri())?;
    let seen = Seen::of(wish.request.headers())?;
    let services = Arc::clone(&wish.services);
    let office = services.facts.clone().ok_or(Refusal::NotFound)?;
    let room = services.budget.watcher().await?;
    let seen = seen.unwrap_or_else(|| Seen::now(&services, &office));
    let (listener, response) = Listener::new(wish, Action::Changes);
    let watcher = Watcher { listener, services, office, wanted, seen, quiet: QUIET };
    tokio::spawn(async move {
        watcher.watch().await;
        drop(room);
    });
    Ok(response)
}

/// How far a listener is: the id of an event, `<number of the change>-<what stood beside it>`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    /// The last change.
    seq: u64,
    /// A name for the policies and quarantines of that time.
    world: String,
}

impl Seen {
    /// The newest.
    fn now(services: &Services, office: &FactOffice) -> Self {
        // Older than the number, so no change of it is missed.
        let world = world(services);
        Self { seq: office.store().last_change(), world }
    }

    /// What the listener has seen, if it says so.
    fn of(headers: &HeaderMap) -> Result<Option<Self>, Invalid> {
        let Some(id) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
        let parts = id.to_str().ok().and_then(|id| id.split_once('-'));
        let seen = parts.and_then(|(seq, world)| Some(Self { seq: seq.parse().ok()?, world: world.into() }));
        seen.map(Some).ok_or_else(|| Invalid::at(LAST_EVENT_ID, "expected the `id` of an earlier event"))
    }

    fn id(&self) -> String {
        format!("{}-{}", self.seq, self.world)
    }
}

/// A name for the policies that are live and for what is under quarantine: another one if they are others.
fn world(services: &Services) -> String {
    let status = services.reload.status();
    let revision = status.live.as_ref().map(|live| live.revision.as_str()).unwrap_or_default();
    let quarantines = services.quarantine.quarantines().all();
    let ids = quarantines.iter().flat_map(|entry| [entry.id.as_bytes(), b"\n"]);
    let digest = ids.fold(Sha256::new_with_prefix(revision), Digest::chain_update);
    let digest = hex(&digest.finalize());
    digest.split_at(WORLD_DIGITS).0.to_owned()
}

/// Digits of the name of a world: it is only compared with the one before.
const WORLD_DIGITS: usize = 12;

/// A listener, and what it is to be told.
struct Watcher {
    listener: Listener,
    services: Arc<Services>,
    office: Arc<FactOffice>,
    /// About what; empty for everything.
    wanted: Vec<Entity<'static>>,
    seen: Seen,
    /// How often in a row there was nothing.
    quiet: u32,
}

impl Watcher {
    /// Tells what changes until nobody listens any more, or may, or the server stops.
    async fn watch(mut self) {
        while self.listener.goes_on().await {
            let events = match self.world_event() {
                Some(event) => vec![event],
                None => self.events(),
            };
            let is_quiet = events.is_empty();
            for event in events {
                if !self.listener.tell(event).await {
                    return;
                }
            }
            if is_quiet && !self.wait().await {
                return;
            }
        }
    }

    /// The event that says that policies or quarantines are others now, if they are.
    fn world_event(&mut self) -> Option<Bytes> {
        let world = world(&self.services);
        if world == self.seen.world {
            return None;
        }
        self.seen.world = world;
        Some(self.reset("policies"))
    }

    /// What is there to be told now.
    fn events(&mut self) -> Vec<Bytes> {
        let store = self.office.store();
        let last = store.last_change();
        let known = store.changes_after(self.seen.seq, BATCH).filter(|_| self.seen.seq <= last);
        let Some(changes) = known else {
            self.seen.seq = last;
            return vec![self.reset("forgotten")];
        };
        let mut events = Vec::new();
        for change in changes {
            self.seen.seq = change.seq;
            if self.is_wanted(&change) {
                events.extend(self.event("change", &Changed::new(&change)));
            }
        }
        events
    }

    fn is_wanted(&self, change: &Change) -> bool {
        let is_about = |entity| self.wanted.contains(entity);
        self.office.tells(self.listener.caller(), change)
            && (self.wanted.is_empty() || change.subject.entities().iter().any(is_about))
    }

    /// Waits for a change, or until it is time to look; whether there is still somebody to tell.
    async fn wait(&mut self) -> bool {
        self.quiet += 1;
        if self.quiet > QUIET {
            self.quiet = 0;
            // An event without data tells nobody, but says how far they are.
            let still_here = format!(": nothing new\nid: {}\n\n", self.seen.id());
            return self.listener.tell(still_here.into()).await;
        }
        let store = self.office.store();
        tokio::select! {
            _ = store.wait_beyond(self.seen.seq) => true,
            () = sleep(TICK) => true,
            () = self.listener.is_gone() => false,
        }
    }

    fn reset(&self, because: &'static str) -> Bytes {
        self.event("reset", &Reset { seq: self.seen.seq, because }).unwrap_or_default()
    }

    fn event(&self, name: &str, data: &impl Serialize) -> Option<Bytes> {
        let data = serde_json::to_string(data).ok()?;
        Some(format!("event: {name}\nid: {}\ndata: {data}\n\n", self.seen.id()).into())
    }
}

/// Data of the event `change`.
#[derive(Serialize)]
struct Changed<'c> {
    seq: u64,
    about: About<'c>,
    r#type: &'c str,
    source: &'c str,
    at: String,
}

impl<'c> Changed<'c> {
    fn new(change: &'c Change) -> Self {
        let Change { seq, subject, name, source, at } = change;
        Self { seq: *seq, about: about(subject), r#type: name, source, at: at.to_string() }
    }
}

/// Data of the event `reset`: to ask again about everything.
#[derive(Serialize)]
struct Reset {
    seq: u64,
    /// `policies` (or quarantines) are others now, or what has changed since is `forgotten`.
    because: &'static str,
}
