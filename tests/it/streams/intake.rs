//! An intake that keeps what it takes in memory, and does as it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use procura::ports::{NotTaken, SetFault, SetIntake, Taking};
use serde_json::Value;
use tokio::sync::watch;

const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";

type Judge = dyn Fn(&str, usize) -> Result<(), NotTaken> + Send + Sync;

/// Takes what it is told to take; it outlives those that bring events, as the disk does.
pub(super) struct RecordingIntake {
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    is_held: watch::Sender<bool>,
}

struct State {
    judge: Arc<Judge>,
    tries: BTreeMap<String, usize>,
    applied: Vec<(String, String)>,
    repeats: usize,
    waiting: usize,
    expected: BTreeSet<(String, String)>,
    troubles: Vec<(String, Option<String>)>,
}

impl RecordingIntake {
    /// One that takes everything.
    pub(super) fn new() -> Arc<Self> {
        let state = State {
            judge: Arc::new(|_, _| Ok(())),
            tries: BTreeMap::new(),
            applied: Vec::new(),
            repeats: 0,
            waiting: 0,
            expected: BTreeSet::new(),
            troubles: Vec::new(),
        };
        let (changes, is_held) = (watch::channel(0).0, watch::channel(false).0);
        Arc::new(Self { state: Mutex::new(state), changes, is_held })
    }

    pub(super) fn shared(intake: &Arc<Self>) -> Arc<dyn SetIntake> {
        Arc::<Self>::clone(intake)
    }

    /// From now on the `jti` and how often it came before say what becomes of an event.
    pub(super) fn judge_by(
        &self,
        judge: impl Fn(&str, usize) -> Result<(), NotTaken> + Send + Sync + 'static,
    ) {
        self.state().judge = Arc::new(judge);
    }

    /// From now on everything waits.
    pub(super) fn hold(&self) {
        self.is_held.send_replace(true);
    }

    /// What waits goes on.
    pub(super) fn release(&self) {
        self.is_held.send_replace(false);
    }

    /// The `jti` of what was taken from `stream` for the first time.
    pub(super) fn applied(&self, stream: &str) -> Vec<String> {
        let state = self.state();
        let of_stream = state.applied.iter().filter(|(from, _)| from == stream);
        of_stream.map(|(_, jti)| jti.clone()).collect()
    }

    /// How many events came again.
    pub(super) fn repeats(&self) -> usize {
        self.state().repeats
    }

    /// How many events wait.
    pub(super) fn waiting(&self) -> usize {
        self.state().waiting
    }

    /// Whether a verification of `stream` is expected and has not come.
    pub(super) fn is_expecting(&self, stream: &str) -> bool {
        self.state().expected.iter().any(|(of, _)| of == stream)
    }

    /// What was told of the connection of `stream`, in order.
    pub(super) fn troubles(&self, stream: &str) -> Vec<Option<String>> {
        let state = self.state();
        let of_stream = state.troubles.iter().filter(|(of, _)| of == stream);
        of_stream.map(|(_, trouble)| trouble.clone()).collect()
    }

    /// Waits until it is so.
    pub(super) async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let mut changes = self.changes.subscribe();
        let wait = changes.wait_for(|_| is_so(self));
        let met = tokio::time::timeout(Duration::from_secs(60), wait).await;
        assert!(met.is_ok(), "it never was so: {:?}", self.state().troubles);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let made = change(&mut self.state());
        self.changes.send_modify(|changes| *changes += 1);
        made
    }

    fn judge(state: &mut State, stream: &str, set: &str) -> Result<(), NotTaken> {
        let refused = |fault| NotTaken::Refused { fault, reason: "it cannot be read".to_owned() };
        let payload = set.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let claims: Value = payload
            .and_then(|payload| serde_json::from_slice(&payload).ok())
            .ok_or_else(|| refused(SetFault::InvalidRequest))?;
        let jti = claims["jti"].as_str().unwrap().to_owned();
        let tries = state.tries.entry(jti.clone()).or_default();
        *tries += 1;
        (Arc::clone(&state.judge))(&jti, *tries)?;
        if let Some(verification) = claims["events"][VERIFICATION]["state"].as_str() {
            let is_expected = state.expected.remove(&(stream.to_owned(), verification.to_owned()));
            return if is_expected { Ok(()) } else { Err(refused(SetFault::InvalidState)) };
        }
        let event = (stream.to_owned(), jti);
        if state.applied.contains(&event) {
            state.repeats += 1;
        } else {
            state.applied.push(event);
        }
        Ok(())
    }
}

impl SetIntake for RecordingIntake {
    fn take<'a>(&'a self, stream: &'a str, set: &'a str) -> Taking<'a> {
        Box::pin(async move {
            self.change(|state| state.waiting += 1);
            self.is_held.subscribe().wait_for(|is_held| !is_held).await.unwrap();
            self.change(|state| {
                state.waiting -= 1;
                Self::judge(state, stream, set)
            })
        })
    }

    fn expect_verification(&self, stream: &str, verification: String) {
        self.change(|state| state.expected.insert((stream.to_owned(), verification)));
    }

    fn awaits_verification(&self, stream: &str, verification: &str) -> bool {
        self.state().expected.contains(&(stream.to_owned(), verification.to_owned()))
    }

    fn named(&self, _: &str, _: Option<&str>) {}

    fn connection(&self, stream: &str, trouble: Option<String>) {
        self.change(|state| state.troubles.push((stream.to_owned(), trouble)));
    }
}
