//! `procura audit verify`: whether the log is what was written.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Serialize;

use super::{Format, Where, open_files};
use crate::audit::{Verified, verify};
use crate::cli::exit::Exit;
use crate::cli::policies::counted;
use crate::cli::{print, print_error, serve};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Where,
}

/// Verifies the whole log and says up to where it is proven.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let data_dir = args.place.data_dir()?;
    let files = open_files(&data_dir)?;
    let verified = verify(&files, |done, segments| {
        // Long work on large logs only.
        if segments > 4 {
            print_error(&format!("\rsegment {} of {segments}", done + 1));
        }
    });
    let verified = verified.with_context(|| {
        let log = serve::log_directory(&data_dir);
        format!("the log in `{}` cannot be verified, see `docs/reference/log-format.md`", log.display())
    })?;
    let text = match args.place.format {
        Format::Text => verified_text(&verified),
        Format::Json => format!("{}\n", serde_json::to_string(&VerifiedJson::of(&verified))?),
    };
    print(&text)?;
    Ok(Exit::Ok)
}

fn verified_text(verified: &Verified) -> String {
    let kinds: Vec<_> = verified.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let mut text = format!(
        "verified: {} in {} ({})\nlast record {}, hash {}\n",
        counted(verified.last_seq, "record"),
        counted(verified.segments as u64, "segment"),
        if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") },
        verified.last_seq,
        verified.last_hash,
    );
    text.push_str(
        "keep this number and hash elsewhere: only comparing them shows a later truncation or a log written anew\n",
    );
    for (cause, count) in &verified.repairs {
        text.push_str(&format!("the log records {} of cause `{cause}`\n", counted(*count, "repair")));
    }
    if let Some(segment) = &verified.empty_segment {
        text.push_str(&format!(
            "`{segment}` has no content: a crash while it was begun, or its records were removed\n"
        ));
    } else if verified.torn_bytes > 0 {
        text.push_str(&format!(
            "{} bytes after it are no record: a write that was interrupted or is under way, unless the disk lost what \
             it had confirmed or the file was changed\n",
            verified.torn_bytes
        ));
    }
    text
}

/// What `verify --format json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VerifiedJson<'v> {
    segments: usize,
    records: u64,
    last_hash: &'v str,
    kinds: &'v BTreeMap<String, u64>,
    repairs: &'v BTreeMap<String, u64>,
    torn_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    empty_segment: Option<&'v str>,
}

impl<'v> VerifiedJson<'v> {
    fn of(verified: &'v Verified) -> Self {
        Self {
            segments: verified.segments,
            records: verified.last_seq,
            last_hash: &verified.last_hash,
            kinds: &verified.kinds,
            repairs: &verified.repairs,
            torn_bytes: verified.torn_bytes,
            empty_segment: verified.empty_segment.as_deref(),
        }
    }
}
