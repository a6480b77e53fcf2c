//! `procura audit forget`: destroys keys of pseudonyms.

use anyhow::{Context, bail};
use procura_core::model::Timestamp;

use super::Where;
use super::wanted::instant;
use crate::audit::KeyStore;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Exit;
use crate::cli::policies::counted;
use crate::cli::print;
use crate::ports::Clock;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Destroy the keys of periods that ended by then: an instant, or a day, at its beginning in UTC
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    before: Timestamp,
    /// Only say which keys that are
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: Where,
}

/// Destroys the keys. Nobody can tell any more what was behind the pseudonyms made with them.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let before = args.before;
    if before > SystemClock.now() {
        bail!("`--before` is in the future: the key of the current period is in use");
    }
    let store = KeyStore::of(&args.place.data_dir()?);
    let directory = store.directory().display().to_string();
    let ended = store.ended_by(before).with_context(|| format!("cannot read the keys in `{directory}`"))?;
    for key in &ended {
        if !args.dry_run {
            store
                .forget(key)
                .with_context(|| format!("cannot destroy `{}` in `{directory}`", key.key.id()))?;
        }
        print(&format!("{} ({} to {})\n", key.key.id(), key.from, key.until))?;
    }
    let count = counted(ended.len(), "key");
    print(&if args.dry_run {
        format!("{count} would be destroyed\n")
    } else if ended.is_empty() {
        format!("no period has ended by {before} whose key is in `{directory}`: nothing to destroy\n")
    } else {
        format!("{count} destroyed; the server records it within seconds, or when it starts\n")
    })?;
    Ok(Exit::Ok)
}
