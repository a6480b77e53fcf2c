//! An honest witness after <https://c2sp.org/tlog-witness>, on a free port of loopback.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use procura_core::proof::{Checkpoint, Hash, Note, key_id, verify_consistency};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Its name.
const NAME: &str = "witness.example/w1";

/// A witness of one log; it ends when this is dropped.
pub struct WitnessServer {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    key: Ed25519KeyPair,
    kept: Mutex<Option<(u64, Hash)>>,
}

impl WitnessServer {
    /// Starts it, without any checkpoint.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { key: Ed25519KeyPair::generate().unwrap(), kept: Mutex::default() });
        let serving = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self { address, state, task }
    }

    /// Its submission prefix.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its verifier key.
    #[must_use]
    pub fn key(&self) -> String {
        let typed = self.state.typed_key();
        let id: String = key_id(NAME, &typed).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{NAME}+{id}+{}", STANDARD.encode(typed))
    }

    /// Records under the checkpoint that it keeps; 0 without one.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.state.kept.lock().unwrap_or_else(PoisonError::into_inner).map_or(0, |(size, _)| size)
    }
}

impl Drop for WitnessServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn typed_key(&self) -> Vec<u8> {
        [&[4], self.key.public_key().as_ref()].concat()
    }

    /// Status and body. The signature of the log is not looked at: the tests are about what the log asks.
    fn add(&self, body: &str) -> (u16, String) {
        let Some((proof, note)) = body.split_once("\n\n") else { return (400, String::new()) };
        let mut lines = proof.lines();
        let old =
            lines.next().and_then(|line| line.strip_prefix("old ")).and_then(|old| old.parse::<u64>().ok());
        let path: Option<Vec<Hash>> =
            lines.map(|line| Some(Hash::from_bytes(STANDARD.decode(line).ok()?.try_into().ok()?))).collect();
        let note = Note::parse(note.as_bytes()).ok();
        let checkpoint = note.as_ref().and_then(|note| Checkpoint::parse(&note.text).ok());
        let (Some(old), Some(path), Some(note), Some(checkpoint)) = (old, path, note, checkpoint) else {
            return (400, String::new());
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (size, root) = kept.unwrap_or((0, Hash::empty()));
        if old > checkpoint.size {
            return (400, String::new());
        }
        if old != size || (old == checkpoint.size && root != checkpoint.root) {
            return (409, format!("{size}\n"));
        }
        if verify_consistency((old, &root), (checkpoint.size, &checkpoint.root), &path).is_err() {
            return (422, String::new());
        }
        *kept = Some((checkpoint.size, checkpoint.root));
        let time = 1_800_000_000_u64;
        let signature = self.key.sign(format!("cosignature/v1\ntime {time}\n{}", note.text).as_bytes());
        let id = key_id(NAME, &self.typed_key());
        let bytes = [&id[..], &time.to_be_bytes(), signature.as_ref()].concat();
        (200, format!("\u{2014} {NAME} {}\n", STANDARD.encode(bytes)))
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let mut request = Vec::new();
    let body = loop {
        let text = String::from_utf8_lossy(&request).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                break request.len() - body.len();
            }
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    };
    let (status, body) = state.add(&String::from_utf8_lossy(&request[body..]));
    let head =
        format!("HTTP/1.1 {status} Status\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
}
