//! `procura quarantine`: what a running server is no longer to rely on.

use anyhow::{Context, bail};
use clap::Subcommand;
use hyper::Method;
use procura_core::record::{Record, sentence};
use procura_core::value::hex;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::exit::Exit;
use super::print;
use super::server::{Format, ServerArgs, Shown};
use crate::ports::{Quarantined, Suspect};

const EXAMPLES: &str = "\
Examples:
  procura quarantine add --issuer https://id.example --since 2026-11-20T08:00:00Z --reason 'signing key stolen'
  procura quarantine add --key-set staff --key 2026-11 --reason 'key was in a backup'
  procura quarantine list
  procura quarantine affected q-5f2a90c13b7e
  procura quarantine lift q-5f2a90c13b7e

From the moment a quarantine is begun, the server refuses every credential that rests on all that it names: tokens of
the issuer, of the key set, or made with the key; client certificates of the trust domain, or of the fingerprint; the API
key of this id. It is recorded, survives restarts, and holds until it is lifted.";

/// What it may mean that there is nothing to ask.
const NO_ADMINISTRATION: &str = "\
there is no administration here, or not for this caller: it takes `server.adminAPI.enabled` and a credential \
(`--token-file FILE`) with the role `admin` that is bound to no tenant";

/// Stop relying on an issuer or a key, and list what had relied on it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(AddArgs),
    List(ListArgs),
    Lift(OneArgs),
    Affected(AffectedArgs),
}

/// Begin a quarantine
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("suspect").required(true).multiple(true))]
struct AddArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Issuer of tokens, or trust domain of client certificates
    #[arg(long, group = "suspect", value_name = "ISSUER")]
    issuer: Option<String>,
    /// Key set that vouches for tokens
    #[arg(long, group = "suspect", value_name = "ID")]
    key_set: Option<String>,
    /// `kid` of tokens, id of an API key, or SHA-256 fingerprint of a client certificate, with colons or without
    #[arg(long, group = "suspect", value_name = "KEY")]
    key: Option<String>,
    /// From when on decisions that relied on it are suspect [default: now]
    #[arg(long, value_name = "INSTANT")]
    since: Option<String>,
    /// Why: it is recorded
    #[arg(long)]
    reason: String,
    /// Id of the quarantine [default: made from what it names]
    #[arg(long)]
    id: Option<String>,
}

/// List the quarantines
#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    shown: Shown,
}

/// Lift a quarantine
#[derive(Debug, clap::Args)]
struct OneArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Its id
    id: String,
}

/// List the recorded decisions that had relied on what is under quarantine
#[derive(Debug, clap::Args)]
struct AffectedArgs {
    #[command(flatten)]
    of: OneArgs,
    #[command(flatten)]
    shown: Shown,
}

/// Asks the server.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Add(args) => add(args)?,
        Command::List(args) => list(args)?,
        Command::Lift(args) => lift(args)?,
        Command::Affected(args) => affected(args)?,
    }
    Ok(Exit::Ok)
}

fn add(args: &AddArgs) -> anyhow::Result<()> {
    let AddArgs { server, issuer, key_set, key, since, reason, id } = args;
    let key = key.as_deref().map(|key| match key_set {
        // A key of a key set is a `kid`, of whatever form.
        None => fingerprint(key).unwrap_or_else(|| key.to_owned()),
        Some(_) => key.to_owned(),
    });
    let suspect = Suspect { issuer: issuer.clone(), key_set: key_set.clone(), key };
    let id = id.clone().unwrap_or_else(|| id_of(&suspect));
    let wanted = Wanted { suspect: &suspect, since: since.as_deref(), reason };
    let begun = server.open()?.tell(Method::PUT, &at(&id), &wanted)?.context(NO_ADMINISTRATION)?;
    Ok(print(&format!("begun: {}\n", line(&begun)))?)
}

fn list(args: &ListArgs) -> anyhow::Result<()> {
    let listed: Option<Listed> = args.server.open()?.ask(Method::GET, "/admin/quarantine")?;
    for entry in listed.context(NO_ADMINISTRATION)?.quarantines {
        print(&match args.shown.output {
            Format::Text => format!("{}\n", line(&entry)),
            Format::Json => format!("{}\n", serde_json::to_string(&entry)?),
        })?;
    }
    Ok(())
}

fn lift(args: &OneArgs) -> anyhow::Result<()> {
    let Some(lifted) = args.server.open()?.ask(Method::DELETE, &at(&args.id))? else {
        bail!("there is no quarantine `{}`", args.id);
    };
    Ok(print(&format!("lifted: {}\n", line(&lifted)))?)
}

/// Every page, as it comes.
fn affected(args: &AffectedArgs) -> anyhow::Result<()> {
    let (server, id) = (args.of.server.open()?, &args.of.id);
    let mut path = format!("{}/affected?limit=500", at(id));
    loop {
        let page: Option<Page> = server.ask(Method::GET, &path)?;
        let page = page.with_context(|| {
            format!("there is no quarantine `{id}`, or no decision log, or this caller may not do both `admin` and `audit`")
        })?;
        for found in &page.decisions {
            print(&match args.shown.output {
                Format::Text => told(found)?,
                Format::Json => format!("{found}\n"),
            })?;
        }
        let Some(cursor) = page.next_cursor else { return Ok(()) };
        path = format!("{}/affected?limit=500&cursor={cursor}", at(id));
    }
}

/// Each decision of a record that was found, in a line.
fn told(found: &RawValue) -> anyhow::Result<String> {
    let found: Found<'_> = serde_json::from_str(found.get())?;
    let Record::Decision(record) = Record::decode(found.record.get().as_bytes())? else {
        return Ok(String::new());
    };
    let (call, at) = (record.call.id.escape_debug(), record.at);
    let lines = record.decisions().map(|decision| {
        let (number, call) = (decision.id.number, call.clone());
        format!("{at} {call}/{number} {}\n", sentence(&record, &decision))
    });
    Ok(lines.collect())
}

fn line(entry: &Quarantined) -> String {
    let Quarantined { id, suspect: Suspect { issuer, key_set, key }, since, reason, .. } = entry;
    let named = [("issuer", issuer), ("key set", key_set), ("key", key)];
    let named = named.into_iter().filter_map(|(what, text)| Some((what, text.as_ref()?)));
    let named: Vec<_> = named.map(|(what, text)| format!("{what} `{}`", text.escape_debug())).collect();
    format!("{} {} suspect since {since}: {}", id.escape_debug(), named.join(", "), reason.escape_debug())
}

fn at(id: &str) -> String {
    format!("/admin/quarantine/{id}")
}

/// The fingerprint that `openssl x509 -fingerprint -sha256` prints as `text`, in the form that records have.
fn fingerprint(text: &str) -> Option<String> {
    let bytes: Vec<_> = text.split(':').collect();
    let is_byte = |byte: &&str| byte.len() == 2 && byte.bytes().all(|digit| digit.is_ascii_hexdigit());
    (bytes.len() == 32 && bytes.iter().all(is_byte)).then(|| bytes.concat().to_ascii_lowercase())
}

fn id_of(suspect: &Suspect) -> String {
    let digits = hex(&Sha256::digest(format!("{suspect:?}")));
    format!("q-{}", digits.split_at(12).0)
}

/// What `PUT /admin/quarantine/{id}` takes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wanted<'a> {
    #[serde(flatten)]
    suspect: &'a Suspect,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<&'a str>,
    reason: &'a str,
}

/// What `GET /admin/quarantine` answers.
#[derive(Deserialize)]
struct Listed {
    quarantines: Vec<Quarantined>,
}

/// What `GET /admin/quarantine/{id}/affected` answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    decisions: Vec<Box<RawValue>>,
    #[serde(default)]
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Found<'a> {
    #[serde(borrow)]
    record: &'a RawValue,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_understood_as_openssl_prints_them() {
        let printed = ["AB"; 32].join(":");
        assert_eq!(fingerprint(&printed), Some("ab".repeat(32)));
        let others = [["AB"; 31].join(":"), ["AG"; 32].join(":"), "AB".repeat(32), "5f0c2a9be1d4".to_owned()];
        assert!(others.iter().all(|text| fingerprint(text).is_none()));
    }
}
