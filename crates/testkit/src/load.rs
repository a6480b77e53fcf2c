//! Load for a server: connections that ask without pause, as lean as can be, since they share a machine with what they
//! measure.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use procura::ports::Duplex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::certificates::TlsClient;

/// Largest answer that is read.
const MAX_ANSWER: usize = 1024 * 1024;

/// What is asked, by whom, for how long.
#[derive(Clone)]
pub struct Load {
    /// Where the server is.
    pub address: SocketAddr,
    /// How it is spoken to, if not in plain text.
    pub tls: Option<TlsClient>,
    /// Header lines of every request beside the usual ones, each with its line end.
    pub headers: String,
    /// Path of every request.
    pub path: &'static str,
    /// Bodies of the requests, in turn.
    pub bodies: Arc<Vec<Vec<u8>>>,
    /// Connections that are kept.
    pub connections: usize,
    /// How long they ask.
    pub duration: Duration,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Time from each question to its answer, sorted.
    pub latencies: Vec<Duration>,
}

impl Load {
    /// Asks; an answer other than 200 is an error.
    pub async fn run(&self) -> anyhow::Result<Taken> {
        let requests: Arc<Vec<Vec<u8>>> =
            Arc::new(self.bodies.iter().map(|body| self.request(body)).collect());
        let mut running = JoinSet::new();
        for first in 0..self.connections {
            let stream = self.connect().await?;
            running.spawn(ask(stream, Arc::clone(&requests), first, Instant::now() + self.duration));
        }
        let mut taken = Taken::default();
        while let Some(asked) = running.join_next().await {
            taken.latencies.extend(asked??);
        }
        taken.latencies.sort_unstable();
        Ok(taken)
    }

    async fn connect(&self) -> anyhow::Result<Box<dyn Duplex>> {
        let stream = TcpStream::connect(self.address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(match &self.tls {
            None => Box::new(stream),
            Some(tls) => Box::new(tls.shake(stream).await?),
        })
    }

    fn request(&self, body: &[u8]) -> Vec<u8> {
        let Self { address, headers, path, .. } = self;
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n"
        );
        [head.as_bytes(), body].concat()
    }
}

impl Taken {
    /// The latency that so many of a hundred requests do not exceed.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * percent / 100).copied().unwrap_or_default()
    }
}

async fn ask(
    mut stream: Box<dyn Duplex>,
    requests: Arc<Vec<Vec<u8>>>,
    first: usize,
    until: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    let mut buffer = Vec::with_capacity(16 * 1024);
    let mut asked = Instant::now();
    for request in requests.iter().cycle().skip(first % requests.len()) {
        stream.write_all(request).await.context("cannot send")?;
        stream.flush().await.context("cannot send")?;
        read_answer(&mut stream, &mut buffer).await?;
        let answered = Instant::now();
        latencies.push(answered - asked);
        asked = answered;
        if answered >= until {
            break;
        }
    }
    Ok(latencies)
}

/// Reads one answer, of which nothing but its status is looked at.
async fn read_answer(stream: &mut Box<dyn Duplex>, buffer: &mut Vec<u8>) -> anyhow::Result<()> {
    buffer.clear();
    loop {
        let read = stream.read_buf(buffer).await.context("cannot read the answer")?;
        ensure!(read > 0 && buffer.len() < MAX_ANSWER, "the answer breaks off or does not end");
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            let head = buffer.get(..end).unwrap_or_default();
            if !head.starts_with(b"HTTP/1.1 200") {
                bail!("the answer is no success: {}", String::from_utf8_lossy(buffer));
            }
            if buffer.len() >= end + 4 + content_length(head)? {
                return Ok(());
            }
        }
    }
}

fn content_length(head: &[u8]) -> anyhow::Result<usize> {
    const NAME: &[u8] = b"content-length: ";
    let at = find(head, NAME).context("the answer has no length")? + NAME.len();
    let digits = head.iter().skip(at).take_while(|byte| byte.is_ascii_digit());
    Ok(digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0')))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
