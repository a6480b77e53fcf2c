//! Requests at a steady rate, whatever becomes of them, each from a caller of its own address.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::calls::Call;
use crate::http::Connection;

/// Connections of one caller.
const CONNECTIONS: u32 = 12;

/// What one caller does for a while.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Who: the last number of its address.
    pub(super) caller: u8,
    /// Requests in a second.
    pub(super) rate: f64,
    /// For how long.
    pub(super) time: Duration,
}

/// What became of the requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Seconds from the moment a request was due to its answer, of those that were decided.
    pub(super) accepted: Vec<f64>,
    /// How many were refused with 429 or 503.
    pub(super) refused: u64,
}

impl Tally {
    /// Both together.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.accepted.extend(other.accepted);
        self.refused += other.refused;
        self
    }

    /// Milliseconds within which 99 of 100 accepted requests were answered.
    pub(super) fn p99(&self) -> f64 {
        let mut seconds = self.accepted.clone();
        seconds.sort_by(f64::total_cmp);
        let place = (seconds.len() * 99).div_ceil(100).saturating_sub(1);
        seconds.get(place).copied().unwrap_or_default() * 1000.0
    }
}

/// Lets the callers of `loads` ask at once; what became of each, in their order.
pub(super) async fn run(
    address: SocketAddr,
    calls: &Arc<Vec<Call>>,
    loads: &[Load],
) -> anyhow::Result<Vec<Tally>> {
    let begin = Instant::now() + Duration::from_millis(50);
    let mut tasks = JoinSet::new();
    for (place, load) in loads.iter().enumerate() {
        for number in 0..CONNECTIONS {
            let asking = keep_asking(address, Arc::clone(calls), *load, number, begin);
            tasks.spawn(async move { asking.await.map(|tally| (place, tally)) });
        }
    }
    let mut tallies = vec![Tally::default(); loads.len()];
    while let Some(ended) = tasks.join_next().await {
        let (place, tally) = ended??;
        tallies[place] = std::mem::take(&mut tallies[place]).and(tally);
    }
    Ok(tallies)
}

/// One connection, which sends every [`CONNECTIONS`]th request of its caller.
async fn keep_asking(
    address: SocketAddr,
    calls: Arc<Vec<Call>>,
    load: Load,
    number: u32,
    begin: Instant,
) -> anyhow::Result<Tally> {
    let mut connection = open(address, load.caller).await?;
    let mut tally = Tally::default();
    for request in (number..).step_by(CONNECTIONS as usize) {
        let offset = Duration::from_secs_f64(f64::from(request) / load.rate);
        if offset >= load.time {
            break;
        }
        let due = begin + offset;
        sleep_until(due.into()).await;
        let call = &calls[request as usize % calls.len()];
        let response = connection.post_json("/api/check/resources", &call.body).await;
        let response = response.with_context(|| format!("caller {} got no answer", load.caller))?;
        match response.status {
            200 => {
                tally.accepted.push(due.elapsed().as_secs_f64());
                call.judge(&response)?;
            }
            429 | 503 => {
                let wait = response.header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
                ensure!(wait.is_some_and(|seconds| seconds > 0), "a refusal does not say when to try again");
                tally.refused += 1;
            }
            other => bail!("status {other}: {}", String::from_utf8_lossy(&response.body)),
        }
        if response.header("connection") == Some("close") {
            connection = open(address, load.caller).await?;
        }
    }
    Ok(tally)
}

async fn open(address: SocketAddr, caller: u8) -> anyhow::Result<Connection> {
    Connection::open_from(IpAddr::V4(Ipv4Addr::new(127, 0, 0, caller)), address).await
}
