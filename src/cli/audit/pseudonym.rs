//! `procura audit pseudonym`: what stands in the log for a value that is known.

use std::borrow::Cow;

use anyhow::{Context, bail};
use procura_core::model::Timestamp;
use procura_core::record::MaskKey;
use procura_core::value::Value;

use super::Where;
use super::wanted::instant;
use crate::audit::KeyStore;
use crate::cli::clock::SystemClock;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::ports::Clock;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The value, a text such as the id of a principal
    value: String,
    /// When it was recorded: an instant, or a day, at its beginning in UTC [default: now]
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    at: Option<Timestamp>,
    /// Show its hash instead of its pseudonym: what a rule with `do: hash` writes
    #[arg(long)]
    hash: bool,
    /// The value is JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

/// Prints what to search for.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let store = KeyStore::of(&args.place.data_dir()?);
    let key = if args.hash { hash_key(&store)? } else { period_key(&store, args.at)? };
    let value = if args.json {
        serde_json::from_str(&args.value).context("the value is no JSON: leave `--json` out for a text")?
    } else {
        Value::String(Cow::Borrowed(&args.value))
    };
    print(&format!("{}\n", key.digest(&value)))?;
    Ok(Exit::Ok)
}

fn hash_key(store: &KeyStore) -> anyhow::Result<MaskKey> {
    let Some(key) = store.hash_key().context("cannot read the key of hashes")? else {
        bail!("there is no key of hashes: name the server's data directory with `--data-dir`");
    };
    Ok(key)
}

fn period_key(store: &KeyStore, at: Option<Timestamp>) -> anyhow::Result<MaskKey> {
    let at = at.unwrap_or_else(|| SystemClock.now());
    let Some(found) = store.key_at(at).context("cannot read the keys of pseudonyms")? else {
        let directory = store.directory().display();
        bail!("`{directory}` holds no key for {at}: it was destroyed, or nothing was recorded then");
    };
    Ok(found.key)
}
