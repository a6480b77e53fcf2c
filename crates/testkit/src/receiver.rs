//! A server that takes the records of a decision log, one per line or as OTLP logs, and can misbehave in several ways.

use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use flate2::read::GzDecoder;
use procura::audit::LogReader;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How long something is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the receiver does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// Takes it.
    Accept,
    /// Takes only batches of at most so many records, and answers 413 to others.
    AtMost(usize),
    /// Does not take it, and answers with this status.
    Refuse(u16),
    /// Does not take it, and never answers.
    Hang,
    /// Does not take it, and closes the connection.
    Close,
    /// Takes it, and closes the connection without an answer.
    TakeAndClose,
    /// Takes it, but says like an OTLP collector that it rejects one record.
    Reject,
}

/// A record as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Position in the chain.
    pub seq: u64,
    /// Chain hash, in hexadecimal.
    pub hash: String,
    /// The record.
    pub payload: String,
}

/// What has come so far.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// How many requests were read.
    pub requests: usize,
    /// The headers of the last one, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The records that were taken, in the order of their arrival.
    pub arrivals: Vec<Arrival>,
}

/// A receiver on a port of loopback; it ends when this is dropped.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
}

struct Shared {
    conduct: Mutex<Conduct>,
    received: Mutex<Received>,
    requests: watch::Sender<usize>,
}

impl Receiver {
    /// Starts it on a free port.
    pub async fn start(conduct: Conduct) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared {
            conduct: Mutex::new(conduct),
            received: Mutex::default(),
            requests: watch::channel(0).0,
        };
        let mut receiver = Self { address, shared: Arc::new(shared), task: None };
        receiver.listen(listener);
        receiver
    }

    /// Where it takes records, `path` being `/v1/logs` for OTLP.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on it behaves so.
    pub fn set(&self, conduct: Conduct) {
        *lock(&self.shared.conduct) = conduct;
    }

    /// Closes all connections and the port.
    pub async fn go_down(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
    }

    /// Listens on its port again.
    pub async fn come_up(&mut self) {
        if self.task.is_none() {
            self.listen(TcpListener::bind(self.address).await.unwrap());
        }
    }

    /// What has come so far.
    #[must_use]
    pub fn received(&self) -> Received {
        lock(&self.shared.received).clone()
    }

    /// Waits until what has come is as asked for.
    pub async fn until(&self, is_enough: impl Fn(&Received) -> bool) -> anyhow::Result<()> {
        let mut requests = self.shared.requests.subscribe();
        let wait = requests.wait_for(|_| is_enough(&lock(&self.shared.received)));
        let Ok(met) = tokio::time::timeout(PATIENCE, wait).await else {
            let Received { requests, headers, arrivals } = self.received();
            let last = arrivals.last().map(|arrival| arrival.seq);
            bail!("after {requests} requests and record {last:?} no more has come; headers {headers:?}");
        };
        met.map(|_| ()).context("the receiver has ended")
    }

    /// Waits until record `seq` has come.
    pub async fn until_seq(&self, seq: u64) -> anyhow::Result<()> {
        self.until(|received| received.arrivals.last().is_some_and(|arrival| arrival.seq >= seq)).await
    }

    fn listen(&mut self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        self.task = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&shared)));
            }
        }));
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Whether `arrivals` are all records of the log, in order, each at least once: whoever sends again may go back, but
/// never ahead. Returns how many came more than once.
pub fn compare(arrivals: &[Arrival], log: &LogReader) -> anyhow::Result<usize> {
    let mut records = Vec::new();
    let mut cursor = log.cursor(1);
    while cursor.read(|entry| {
        let payload = String::from_utf8_lossy(entry.payload).into_owned();
        records.push(Arrival { seq: entry.seq, hash: entry.hash.to_string(), payload });
    })? > 0
    {}
    let mut seen = 0;
    for arrival in arrivals {
        let place = usize::try_from(arrival.seq)?.checked_sub(1).context("record 0")?;
        ensure!(place <= seen, "record {} came before {}", arrival.seq, seen + 1);
        ensure!(records.get(place) == Some(arrival), "record {} is not that of the log", arrival.seq);
        seen = seen.max(place + 1);
    }
    ensure!(seen == records.len(), "{seen} of {} records have arrived", records.len());
    Ok(arrivals.len() - seen)
}

/// The records in `text`, one per line.
pub fn lines(text: &str) -> anyhow::Result<Vec<Arrival>> {
    text.lines().map(line).collect()
}

fn line(line: &str) -> anyhow::Result<Arrival> {
    let rest = line.strip_prefix("{\"seq\":").with_context(|| format!("not a record: {line}"))?;
    let (seq, rest) = rest.split_once(",\"hash\":\"").context("no hash")?;
    let (hash, rest) = rest.split_once("\",\"record\":").context("no record")?;
    let payload = rest.strip_suffix('}').context("no end")?.to_owned();
    serde_json::from_str::<Value>(line).context("a line is not JSON")?;
    Ok(Arrival { seq: seq.parse()?, hash: hash.to_owned(), payload })
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let mut stream = BufReader::new(stream);
    while let Ok((path, headers, body)) = read_request(&mut stream).await {
        let conduct = *lock(&shared.conduct);
        let records = records(&path, &body).unwrap_or_else(|error| panic!("{path}: {error:#}"));
        let status = match conduct {
            Conduct::AtMost(most) if records.len() > most => 413,
            Conduct::Refuse(status) => status,
            _ => 200,
        };
        {
            let mut received = lock(&shared.received);
            received.requests += 1;
            received.headers = headers;
            if status == 200 && !matches!(conduct, Conduct::Hang | Conduct::Close) {
                received.arrivals.extend(records);
            }
        }
        shared.requests.send_modify(|requests| *requests += 1);
        let body = match conduct {
            Conduct::Hang => return std::future::pending().await,
            Conduct::Close | Conduct::TakeAndClose => return,
            Conduct::Reject => r#"{"partialSuccess":{"rejectedLogRecords":"1"}}"#,
            _ => "{}",
        };
        let answer = format!("HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

type Request = (String, Vec<(String, String)>, String);

async fn read_request(stream: &mut BufReader<TcpStream>) -> anyhow::Result<Request> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        ensure!(stream.read_line(&mut head).await? > 0, "the connection is closed");
    }
    let mut lines = head.lines();
    let path = lines.next().and_then(|line| line.split(' ').nth(1)).context("no path")?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers: Vec<_> =
        headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let header =
        |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let mut body = vec![0; header("content-length").context("no length")?.parse()?];
    stream.read_exact(&mut body).await?;
    let mut text = String::new();
    if header("content-encoding") == Some("gzip") {
        GzDecoder::new(&*body).read_to_string(&mut text)?;
    } else {
        text = String::from_utf8(body)?;
    }
    Ok((path, headers, text))
}

fn records(path: &str, body: &str) -> anyhow::Result<Vec<Arrival>> {
    if path != "/v1/logs" {
        return lines(body);
    }
    let request: Value = serde_json::from_str(body)?;
    let records =
        request["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().context("no records")?;
    records.iter().map(|record| otlp(record).with_context(|| record.to_string())).collect()
}

fn otlp(record: &Value) -> anyhow::Result<Arrival> {
    let attribute = |key: &str, kind: &str| {
        let attributes = record["attributes"].as_array()?;
        let found = attributes.iter().find(|attribute| attribute["key"] == key)?;
        found["value"][kind].as_str().map(str::to_owned)
    };
    Ok(Arrival {
        seq: attribute("procura.seq", "intValue").context("no sequence number")?.parse()?,
        hash: attribute("procura.hash", "stringValue").context("no hash")?,
        payload: record["body"]["stringValue"].as_str().context("no body")?.to_owned(),
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
