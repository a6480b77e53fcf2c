//! `procura audit prove`: one record with its proof, to be verified elsewhere.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use procura_core::record::DecisionId;

use super::Where;
use crate::audit::proof::{Proof, prove};
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::ports::DecisionQuery;

/// How often it is looked whether there is a checkpoint now.
const LOOK: Duration = Duration::from_millis(50);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Where,
    /// Id of a call or of one decision of it, or the sequence number of a record
    #[arg(value_name = "ID|SEQ")]
    record: String,
    /// Wait so many seconds at most for a checkpoint that covers the record
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,
}

/// Prints the bundle.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let deadline = Instant::now() + Duration::from_secs(args.wait);
    loop {
        let reader = args.place.open()?;
        let seq = match args.record.parse() {
            Ok(seq) => Some(seq),
            Err(_) => {
                let call = DecisionId::parse(&args.record);
                let call = call.map_or(args.record.clone(), |decision| decision.call.to_string());
                reader.get(&call)?.map(|stored| stored.seq)
            }
        };
        let seq: u64 = seq.ok_or_else(|| anyhow!("no call `{}` in the log", args.record))?;
        match prove(&reader, seq)? {
            Proof::Bundle(bundle) => {
                print(&String::from_utf8_lossy(&bundle.to_json()))?;
                return Ok(Exit::Ok);
            }
            Proof::Missing => bail!("no record {seq} in the log"),
            Proof::Pending { signed } if Instant::now() >= deadline => bail!(
                "record {seq} is not proven yet: the last checkpoint covers {signed} records; `--wait 5` waits for the \
                 next one, which a running server signs every `audit.checkpoint.interval`"
            ),
            Proof::Pending { .. } => thread::sleep(LOOK),
        }
    }
}
