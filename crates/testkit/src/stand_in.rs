//! Our transmitter as a process of its own, for tests in programs that do not link it.

use std::io;

use anyhow::Context;
use serde_json::{Value, json};

use crate::transmitter::Transmitter;

/// The only stream, whose events are polled.
const STREAM: &str = "stand-in";

/// What whoever polls shows.
const AUTHORIZATION: &str = "Bearer of-the-stand-in";

/// What all events have in common.
const EVENTS: &str = "https://schemas.openid.net/secevent/";

/// Runs a transmitter for `audience` until `said` ends. Its first `told` line is where it is, as JSON; then each line said,
/// `{"event", "subject", "payload"}` with the rest of the URI of the event, is put into the stream, and its `jti` told.
pub async fn run(
    audience: &str,
    said: impl Iterator<Item = io::Result<String>>,
    told: impl Fn(&str),
) -> anyhow::Result<()> {
    let transmitter = Transmitter::start().await;
    transmitter.add_poll_stream(STREAM, audience);
    transmitter.change(|state| state.authorization = Some(AUTHORIZATION.to_owned()));
    let place = json!({"issuer": transmitter.issuer(), "keys": transmitter.jwks_url(),
        "poll": transmitter.poll_url(STREAM), "authorization": AUTHORIZATION});
    told(&place.to_string());
    for line in said {
        let said: Value = serde_json::from_str(&line?).context("what is said is not JSON")?;
        let event = said["event"].as_str().context("it is not said which event")?;
        let jti = transmitter.emit(STREAM, &format!("{EVENTS}{event}"), &said["subject"], &said["payload"]);
        told(&jti);
    }
    Ok(())
}
