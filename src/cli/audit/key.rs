//! `procura audit key`: the public keys of the log, for whoever verifies it.

use anyhow::anyhow;

use super::{Format, Where};
use crate::audit::proof::SigningKeys;
use crate::cli::exit::Exit;
use crate::cli::{print, serve};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Where,
}

/// Prints a verifier key on each line.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let config = args.place.config()?;
    let directory = serve::key_directory(&config.server.data_dir);
    let keys = SigningKeys::find(&directory, config.audit.checkpoint.origin.as_deref())?;
    let keys = keys.ok_or_else(|| {
        anyhow!("`{}` holds no keys: the server makes them when it starts", directory.display())
    })?;
    let keys: Vec<String> = keys.verifiers().iter().map(ToString::to_string).collect();
    match args.place.format {
        Format::Text => print(&keys.iter().map(|key| format!("{key}\n")).collect::<String>())?,
        Format::Json => print(&format!("{}\n", serde_json::json!({ "keys": keys })))?,
    }
    Ok(Exit::Ok)
}
