//! What shows a transmitter who this receiver is: a value from a file, or a token that is asked for.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use tokio::time::Instant;

use super::ask;
use super::failure::Failure;
use super::settings::Authorization;
use crate::outgoing::{Client, encoded};
use crate::secret::SecretSource;

/// Largest answer with a token, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// How long a token is used that does not say how long it is good.
const USUAL_LIFE: Duration = Duration::from_secs(300);

/// What shows who this receiver is, and the token that it has at present.
pub(super) struct Credential {
    source: Option<Authorization>,
    token: Mutex<Option<(HeaderValue, Instant)>>,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
}

impl Credential {
    pub(super) fn new(source: Option<Authorization>) -> Self {
        Self { source, token: Mutex::new(None) }
    }

    /// The value of `Authorization`, if there is to be one.
    pub(super) async fn header(
        &self,
        client: &Client,
        deadline: Duration,
    ) -> Result<Option<HeaderValue>, Failure> {
        match &self.source {
            None => Ok(None),
            Some(Authorization::Header(source)) => sensitive(&text(source)?).map(Some),
            Some(Authorization::Client { .. }) => {
                let known = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some((value, _)) = known.filter(|(_, ends)| Instant::now() < *ends) {
                    return Ok(Some(value));
                }
                let (value, life) = self.ask(client, deadline).await?;
                let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
                // Another one is asked for a little before this one ends.
                *token = Some((value.clone(), Instant::now() + life.mul_f64(0.9)));
                Ok(Some(value))
            }
        }
    }

    /// Forgets the token that was refused. Whether another can be asked for.
    pub(super) fn forget(&self) -> bool {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }

    /// A token, and how long it is good (RFC 6749, section 4.4).
    async fn ask(&self, client: &Client, deadline: Duration) -> Result<(HeaderValue, Duration), Failure> {
        let Some(Authorization::Client { token_url, id, secret, scope }) = &self.source else {
            return Err(Failure::Authorization("there is no client"));
        };
        let secret = text(secret)?;
        let basic = STANDARD.encode(format!("{}:{}", encoded(id), encoded(&secret)));
        let scope = if scope.is_empty() { String::new() } else { format!("&scope={}", encoded(scope)) };
        let body = Full::from(format!("grant_type=client_credentials{scope}"));
        let request = Request::post(token_url.as_str())
            .header(AUTHORIZATION, sensitive(&format!("Basic {basic}"))?)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(body)
            .map_err(|_| Failure::Url)?;
        let answer = client.send(request, deadline, MAX_ANSWER).await.map_err(Failure::Unreachable)?;
        let token: Token = ask::json(&ask::successful(answer)?)?;
        if !token.token_type.eq_ignore_ascii_case("bearer") {
            return Err(Failure::Authorization("the token is not one for bearers"));
        }
        let life = token.expires_in.map_or(USUAL_LIFE, Duration::from_secs);
        Ok((sensitive(&format!("Bearer {}", token.access_token))?, life))
    }
}

/// The text of `source`.
pub(super) fn text(source: &SecretSource) -> Result<String, Failure> {
    source.read().map_err(|error| {
        Failure::Authorization(match error.kind() {
            io::ErrorKind::InvalidData => "it is empty, or no text",
            _ => "its file cannot be read",
        })
    })
}

fn sensitive(text: &str) -> Result<HeaderValue, Failure> {
    let not_shown = Failure::Authorization("it has characters that no header may have");
    let mut value = HeaderValue::try_from(text).map_err(|_| not_shown)?;
    value.set_sensitive(true);
    Ok(value)
}
