//! `procura key`: makes API keys for callers, lists and revokes them. A server that reads the file notices by itself.

use std::path::PathBuf;

use anyhow::{Context, bail};
use jiff::SignedDuration;
use procura_core::model::Timestamp;

use super::clock::SystemClock;
use super::exit::Exit;
use super::{print, print_error};
use crate::callers::{self, KeyEntry, NewKey};
use crate::pdp::Action;
use crate::ports::Clock;

const EXAMPLES: &str = "\
Examples:
  procura key create --name shop --roles decide,batch --file keys.yaml
  procura key create --name acme-desk --roles decide,audit --tenants acme --expires 90d --file keys.yaml
  procura key list --file keys.yaml
  procura key revoke 5f0c2a9be1d4 --file keys.yaml

The key is printed once, on standard output; the file keeps only its hash. A caller shows it as
`Authorization: Bearer procura_...` or `X-API-Key: procura_...`. `callers.keys.file` names the file to the server.";

/// Make, list and revoke the API keys of callers
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Make a key, print it, and add its hash to the file
#[derive(Debug, clap::Args)]
struct Create {
    /// Who will hold it: the name of the caller in records
    #[arg(long)]
    name: String,
    /// What its holder may do, with commas between: `decide`, `batch`, `explain`, `audit`, `metrics`, `admin`, or roles of your
    /// own `callers.policies`
    #[arg(long, value_delimiter = ',', required = true)]
    roles: Vec<String>,
    /// The tenants its holder is bound to [default: none, it sees all]
    #[arg(long, value_delimiter = ',')]
    tenants: Option<Vec<String>>,
    /// Marks its holder as an agent
    #[arg(long)]
    agent: bool,
    /// How long it is good, such as `90d` or `12h` [default: until it is revoked]
    #[arg(long, value_name = "DURATION")]
    expires: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// List the keys of the file
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    place: Place,
}

/// Revoke a key; its entry stays, for those who ask whose it was
#[derive(Debug, clap::Args)]
struct Revoke {
    /// The id of the key, the part between `procura_` and the next `_`
    id: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
struct Place {
    /// The file of keys
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

/// Does what the subcommand says.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Create(create) => create.run(),
        Command::List(list) => list.run(),
        Command::Revoke(revoke) => {
            callers::revoke(&revoke.place.file, &revoke.id, SystemClock.now())?;
            print_error(&format!("`{}` is revoked\n", revoke.id));
            Ok(Exit::Ok)
        }
    }
}

impl Create {
    fn run(&self) -> anyhow::Result<Exit> {
        let expires = self.expires.as_deref().map(|text| ends(text, SystemClock.now())).transpose()?;
        let NewKey { id, text, hash } = NewKey::generate().context("the system has no randomness")?;
        let entry = KeyEntry {
            id: id.clone(),
            name: self.name.clone(),
            hash,
            roles: self.roles.clone(),
            tenants: self.tenants.clone(),
            agent: self.agent,
            expires,
            revoked: None,
        };
        callers::add(&self.place.file, &entry)?;
        print(&format!("{text}\n"))?;
        print_error(&format!("key `{id}` of `{}`: it is not shown again\n", self.name));
        self.warn_of_roles();
        Ok(Exit::Ok)
    }

    fn warn_of_roles(&self) {
        let all = Action::ALL.map(|action| format!("`{}`", action.as_str())).join(", ");
        let is_known = |role: &String| Action::ALL.iter().any(|action| action.as_str() == role);
        for role in self.roles.iter().filter(|role| !is_known(role)) {
            print_error(&format!("warning: the policies that ship know no role `{role}`, only {all}\n"));
        }
    }
}

impl List {
    fn run(&self) -> anyhow::Result<Exit> {
        let now = SystemClock.now();
        let lines = callers::list(&self.place.file)?.into_iter().map(|key| {
            let state = match (key.revoked, key.expires) {
                (Some(at), _) => format!("revoked {at}"),
                (None, Some(at)) if now >= at => format!("ended {at}"),
                (None, Some(at)) => format!("good until {at}"),
                (None, None) => "good".to_owned(),
            };
            let tenants = key.tenants.map_or("all".to_owned(), |tenants| tenants.join(","));
            format!("{}  {}  roles {}  tenants {tenants}  {state}\n", key.id, key.name, key.roles.join(","))
        });
        print(&lines.collect::<String>())?;
        Ok(Exit::Ok)
    }
}

/// When a key ends that is good for as long as `text` says: days are written `90d`, everything else as in settings.
fn ends(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    const DAY: i64 = 24 * 60 * 60;
    let days = text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok());
    let period = match days.and_then(|days| days.checked_mul(DAY)) {
        Some(seconds) => Some(SignedDuration::from_secs(seconds)),
        None => text.parse().ok(),
    };
    match period.filter(SignedDuration::is_positive).and_then(|period| now.checked_add(period).ok()) {
        Some(at) => Ok(at),
        None => bail!("`--expires` must be a duration such as `90d` or `12h`, not `{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_end_when_it_was_asked_for() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (text, at) in [
            ("90d", Some("2026-04-01T00:00:00Z")),
            ("12h", Some("2026-01-01T12:00:00Z")),
            ("0d", None),
            ("-1h", None),
            ("soon", None),
            ("99999999999999d", None),
        ] {
            let at = at.map(|at| at.parse::<Timestamp>().unwrap());
            assert_eq!(ends(text, now).ok(), at, "{text}");
        }
    }
}
