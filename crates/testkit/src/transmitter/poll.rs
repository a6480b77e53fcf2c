//! Handing events out (RFC 8936).

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Shared;
use super::serve::Reply;
use super::streams::Stream;

/// Most events in an answer if the receiver does not say.
const DEFAULT_EVENTS: u64 = 10;

/// The answer to `body`, a request for the events of the stream `id`: at once if there are some, otherwise when there are
/// or when the time is over.
pub(super) async fn poll(shared: Arc<Shared>, id: &str, body: &str) -> Reply {
    let Ok(request) = serde_json::from_str::<Value>(body) else { return Reply::status(400) };
    let noted =
        shared.change(|state| state.streams.get_mut(id).map(|stream| stream.note(&request)).is_some());
    if !noted {
        return Reply::status(404);
    }
    let most = usize::try_from(request["maxEvents"].as_u64().unwrap_or(DEFAULT_EVENTS)).unwrap();
    if most > 0 && request["returnImmediately"] != true {
        let mut changes = shared.changes.subscribe();
        let hold = shared.lock().hold;
        let has_some = changes.wait_for(|_| shared.lock().streams.get(id).is_some_and(Stream::has_some));
        // What is there when the time is over is what there is.
        let _ = tokio::time::timeout(hold, has_some).await;
    }
    let answer = shared.change(|state| state.streams.get_mut(id).map(|stream| stream.give(most)));
    answer.map_or_else(|| Reply::status(404), Reply::json)
}

impl Stream {
    /// Takes to heart what the receiver says of earlier events.
    fn note(&mut self, request: &Value) {
        self.polls.push(request.clone());
        for jti in request["ack"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if self.forget(jti) {
                self.acknowledged.push(jti.to_owned());
            }
        }
        for (jti, error) in request["setErrs"].as_object().into_iter().flatten() {
            if self.forget(jti) {
                self.errors.insert(jti.clone(), error.clone());
            }
        }
    }

    fn forget(&mut self, jti: &str) -> bool {
        let before = self.pending.len();
        self.pending.retain(|(waiting, _)| waiting != jti);
        self.pending.len() < before
    }

    fn has_some(&self) -> bool {
        self.status == "enabled" && !self.pending.is_empty()
    }

    fn give(&mut self, most: usize) -> Value {
        let most = if self.status == "enabled" { most } else { 0 };
        let given = self.pending.iter().take(most);
        let sets: Map<_, _> = given.map(|(jti, set)| (jti.clone(), Value::from(set.as_str()))).collect();
        self.given.extend(sets.keys().cloned());
        json!({"sets": sets, "moreAvailable": most > 0 && self.pending.len() > most})
    }
}
