//! The HTTP side: reads requests, finds out what they are about, and answers, or does something worse.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Shared, manage, poll};

/// What a request can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The metadata.
    Metadata,
    /// The keys.
    Keys,
    /// The configuration of streams.
    Configuration,
    /// The status of a stream.
    Status,
    /// Verification.
    Verification,
    /// Subjects that are added.
    AddSubject,
    /// Subjects that are removed.
    RemoveSubject,
    /// Events.
    Poll,
    /// Tokens for the management of streams.
    Token,
}

/// What is done with a request instead of answering it as it should be. What it asks for is not done.
#[derive(Clone, Debug)]
pub enum Misconduct {
    /// An empty answer with this status.
    Status(u16),
    /// The same, with `Retry-After`, in seconds.
    RetryAfter(u16, u64),
    /// Any answer: status, content type, body.
    Answer(u16, &'static str, String),
    /// No answer, ever.
    Hang,
    /// The connection is closed.
    Close,
    /// An answer without end.
    Endless,
    /// An answer that comes this much later; what it asks for is done.
    Late(Duration),
    /// The answer gets lost, and the connection with it; what it asks for is done.
    Lost,
}

/// A request.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) body: String,
    headers: Vec<(String, String)>,
}

/// An answer.
pub(super) struct Reply {
    status: u16,
    content_type: &'static str,
    retry_after: Option<u64>,
    body: String,
}

impl Reply {
    pub(super) fn status(status: u16) -> Self {
        Self { status, content_type: "text/plain", retry_after: None, body: String::new() }
    }

    pub(super) fn json(body: impl Into<Value>) -> Self {
        Self::json_with(200, &body.into())
    }

    pub(super) fn json_with(status: u16, body: &Value) -> Self {
        Self { status, content_type: "application/json", retry_after: None, body: body.to_string() }
    }
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

pub(super) async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&shared)));
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let request = read_request(&mut stream).await?;
        let place = shared.place(&request.path);
        let misconduct = shared.change(|state| {
            let place = place?;
            *state.requests.entry(place).or_default() += 1;
            state.next_misconduct(place)
        });
        let reply = match misconduct {
            None => shared.answer(place, &request).await,
            Some(Misconduct::Late(pause)) => {
                tokio::time::sleep(pause).await;
                shared.answer(place, &request).await
            }
            Some(Misconduct::Status(status)) => Reply::status(status),
            Some(Misconduct::RetryAfter(status, seconds)) => {
                Reply { retry_after: Some(seconds), ..Reply::status(status) }
            }
            Some(Misconduct::Answer(status, content_type, body)) => {
                Reply { status, content_type, retry_after: None, body }
            }
            Some(Misconduct::Hang) => return std::future::pending().await,
            Some(Misconduct::Close) => return Ok(()),
            Some(Misconduct::Lost) => {
                shared.answer(place, &request).await;
                return Ok(());
            }
            Some(Misconduct::Endless) => return endless(stream).await,
        };
        stream.write_all(reply.text().as_bytes()).await?;
    }
}

impl Shared {
    /// What the path is about.
    fn place(&self, path: &str) -> Option<Place> {
        let below = self.issuer.split('/').skip(3).fold(String::new(), |path, part| format!("{path}/{part}"));
        if path == format!("/.well-known/ssf-configuration{below}") {
            return Some(Place::Metadata);
        }
        let rest = path.strip_prefix(&below)?;
        Some(match rest {
            "/jwks" => Place::Keys,
            "/streams" => Place::Configuration,
            "/status" => Place::Status,
            "/verify" => Place::Verification,
            "/subjects/add" => Place::AddSubject,
            "/subjects/remove" => Place::RemoveSubject,
            "/token" => Place::Token,
            _ if rest.starts_with("/poll/") => Place::Poll,
            _ => return None,
        })
    }

    async fn answer(self: &Arc<Self>, place: Option<Place>, request: &Request) -> Reply {
        let Some(place) = place else { return Reply::status(404) };
        let is_open = matches!(place, Place::Metadata | Place::Keys | Place::Token);
        let required = self.lock().authorization.clone();
        if !is_open && required.is_some_and(|value| request.header("authorization") != Some(&value)) {
            return Reply::status(401);
        }
        match place {
            Place::Metadata => Reply::json(self.metadata()),
            Place::Keys => Reply { body: self.jwks(), ..Reply::json(Value::Null) },
            Place::Token => self.token(request),
            Place::Poll => {
                let id = request.path.rsplit('/').next().unwrap_or_default();
                poll::poll(Arc::clone(self), id, &request.body).await
            }
            _ => manage::manage(self, place, request),
        }
    }

    fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        let mut metadata = json!({
            "spec_version": "1_0",
            "issuer": self.issuer,
            "jwks_uri": at("/jwks"),
            "delivery_methods_supported": ["urn:ietf:rfc:8935", "urn:ietf:rfc:8936"],
            "configuration_endpoint": at("/streams"),
            "status_endpoint": at("/status"),
            "add_subject_endpoint": at("/subjects/add"),
            "remove_subject_endpoint": at("/subjects/remove"),
            "verification_endpoint": at("/verify"),
            "authorization_schemes": [{"spec_urn": "urn:ietf:rfc:6749"}],
            "default_subjects": "ALL",
        });
        manage::merge(&mut metadata, &self.lock().metadata);
        metadata
    }

    /// A token, which from now on is the only one that counts.
    fn token(&self, request: &Request) -> Reply {
        self.change(|state| {
            let expected = state.client.as_ref().map(|(id, secret)| {
                let pair = format!("{id}:{secret}");
                format!("Basic {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pair))
            });
            let is_known = expected.is_some() && request.header("authorization") == expected.as_deref();
            if !is_known || !request.body.contains("grant_type=client_credentials") {
                return Reply::json_with(401, &json!({"error": "invalid_client"}));
            }
            let token = state.next_name("token");
            state.authorization = Some(format!("Bearer {token}"));
            Reply::json(json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600}))
        })
    }
}

impl Reply {
    fn text(&self) -> String {
        let Self { status, content_type, retry_after, body } = self;
        let retry_after =
            retry_after.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
        // An answer without content has no length either (RFC 9110, section 8.6).
        let length = match status {
            204 => String::new(),
            _ => format!("content-type: {content_type}\r\ncontent-length: {}\r\n", body.len()),
        };
        format!("HTTP/1.1 {status} Status\r\ncache-control: no-store\r\n{length}{retry_after}\r\n{body}")
    }
}

async fn endless(mut stream: BufReader<TcpStream>) -> anyhow::Result<()> {
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n")
        .await?;
    // Whoever does not want the rest closes the connection.
    loop {
        stream.write_all(&[b' '; 64 * 1024]).await?;
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> anyhow::Result<Request> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        ensure!(stream.read_line(&mut head).await? > 0, "the connection is closed");
    }
    let mut lines = head.lines();
    let mut first = lines.next().context("no request")?.split(' ');
    let (method, target) = (first.next().context("no method")?, first.next().context("no path")?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    let mut request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        body: String::new(),
        headers: headers.collect(),
    };
    let length = request.header("content-length").map_or(Ok(0), str::parse)?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    request.body = String::from_utf8(body)?;
    Ok(request)
}
