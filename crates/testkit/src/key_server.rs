//! A small HTTP server that hands out keys, and can fail in several ways.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the server does with a request.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Answers with this status and body.
    Answer(u16, String),
    /// Sends the caller to another URL.
    Redirect(String),
    /// Accepts the request and never answers.
    Hang,
    /// Answers without end.
    Endless,
}

/// A server on a free port of loopback; it ends when this is dropped.
pub struct KeyServer {
    address: SocketAddr,
    behaviour: Arc<Mutex<Behaviour>>,
    requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl KeyServer {
    /// Starts it.
    pub async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (behaviour, requests) = (Arc::new(Mutex::new(behaviour)), Arc::new(AtomicUsize::new(0)));
        let (current, count) = (Arc::clone(&behaviour), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let behaviour = current.lock().unwrap_or_else(PoisonError::into_inner).clone();
                tokio::spawn(serve(stream, behaviour, Arc::clone(&count)));
            }
        });
        Self { address, behaviour, requests, task }
    }

    /// Starts it with these keys.
    pub async fn with_keys(jwks: String) -> Self {
        Self::start(Behaviour::Answer(200, jwks)).await
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/keys", self.address)
    }

    /// From now on it behaves so.
    pub fn set(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    /// How many requests have come.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, behaviour: Behaviour, requests: Arc<AtomicUsize>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    requests.fetch_add(1, Ordering::SeqCst);
    let (head, body) = match behaviour {
        Behaviour::Answer(status, body) => {
            (format!("{status} Status\r\ncontent-length: {}\r\n", body.len()), body)
        }
        Behaviour::Redirect(url) => {
            (format!("302 Found\r\nlocation: {url}\r\ncontent-length: 0\r\n"), String::new())
        }
        Behaviour::Endless => ("200 OK\r\n".to_owned(), " ".repeat(64 * 1024)),
        Behaviour::Hang => return std::future::pending().await,
    };
    let head = format!("HTTP/1.1 {head}connection: close\r\n\r\n");
    let is_endless = !head.contains("content-length");
    // Whoever does not want the rest closes the connection.
    let mut sent = stream.write_all(format!("{head}{body}").as_bytes()).await;
    while is_endless && sent.is_ok() {
        sent = stream.write_all(body.as_bytes()).await;
    }
}
