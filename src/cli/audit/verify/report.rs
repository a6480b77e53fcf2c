//! What was found, for people and for machines.

use std::collections::BTreeMap;

use serde::Serialize;

use super::against::Witnessed;
use crate::audit::Verified;
use crate::audit::proof::{Bundle, Inspection, ProvenRecord, RangeReport, Source};
use crate::cli::audit::Format;
use crate::cli::policies::counted;

/// About the whole log.
pub(super) fn whole(
    format: Format,
    found: &Inspection,
    witnessed: Option<&Witnessed>,
) -> anyhow::Result<String> {
    match format {
        Format::Text => {
            let log = found.verified.as_ref().map(log_text).unwrap_or_default();
            Ok(format!("{log}{}", proof_text(found, witnessed)))
        }
        Format::Json => {
            Ok(format!("{}\n", serde_json::to_string(&WholeJson::of(found, witnessed.is_some()))?))
        }
    }
}

/// About the whole log, as named facts for the head of a report.
pub(in crate::cli::audit) fn facts(found: &Inspection, has_witness: bool) -> Vec<(&'static str, String)> {
    let proof = match &found.verified {
        Some(verified) if found.findings.is_empty() => {
            let Verified { first_seq, last_seq, last_hash, .. } = verified;
            let deleted = match first_seq {
                1 => String::new(),
                _ => format!("; those before {first_seq} were deleted by retention"),
            };
            format!("verified: records {first_seq} to {last_seq}, hash {last_hash}{deleted}")
        }
        _ => {
            let findings: Vec<_> = found.findings.iter().map(ToString::to_string).collect();
            format!("NOT VERIFIED: {}", findings.join("; "))
        }
    };
    let signed = match found.signed {
        0 => "no checkpoint covers the log".to_owned(),
        size => {
            format!("up to number {size}, by {} beside the log", counted(found.checkpoints, "checkpoint"))
        }
    };
    let witnessed = match (has_witness, found.witnessed) {
        (false, _) => "not asked: whoever holds the key of the log could have written all of it anew, \
                       which only a witness shows (`--witness`)"
            .to_owned(),
        (true, 0) => "the witness vouches for no record".to_owned(),
        (true, size) => format!("up to number {size}: the witness keeps a checkpoint of it"),
    };
    vec![("proof", proof), ("signed", signed), ("witnessed", witnessed)]
}

/// About a part of the log.
pub(super) fn range(format: Format, found: &RangeReport) -> anyhow::Result<String> {
    let RangeReport { from, to, proven } = *found;
    let source = |source| if source == Source::Witness { "witness" } else { "log" };
    if format == Format::Json {
        let json = serde_json::json!({
            "from": from,
            "to": to,
            "proven": proven.map(|(seq, _)| seq),
            "by": proven.map(|(_, by)| source(by)),
        });
        return Ok(format!("{json}\n"));
    }
    let mut text = format!("verified: records {from} to {to}\n");
    text.push_str(&match proven {
        Some((seq, by)) if seq == to => format!("all of them are under a checkpoint of the {}\n", source(by)),
        Some((seq, by)) => format!(
            "up to record {seq} they are under a checkpoint of the {}, from record {} on they are not yet\n",
            source(by),
            seq + 1
        ),
        None => "they form a chain, and no checkpoint covers them\n".to_owned(),
    });
    Ok(text)
}

/// About one record.
pub(super) fn record(
    format: Format,
    bundle: &Bundle,
    proven: &ProvenRecord,
    witnessed: bool,
) -> anyhow::Result<String> {
    let checkpoint = &proven.signed.checkpoint;
    let at = bundle.instant().map(|at| at.to_string()).unwrap_or_default();
    if format == Format::Json {
        let json = serde_json::json!({
            "seq": bundle.seq,
            "at": at,
            "hash": proven.hash.to_string(),
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "witnessed": witnessed,
            "record": serde_json::from_str::<serde_json::Value>(&bundle.record)?,
        });
        return Ok(format!("{json}\n"));
    }
    let by = if witnessed { ", which the witness keeps" } else { "" };
    Ok(format!(
        "verified: record {} of the log `{}`, written {at}, is under the checkpoint over {} records{by}\n{}\n",
        bundle.seq, checkpoint.origin, checkpoint.size, bundle.record
    ))
}

fn log_text(verified: &Verified) -> String {
    let kinds: Vec<_> = verified.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let mut text = format!(
        "verified: {} in {} ({})\nlast record {}, hash {}\n",
        counted((verified.last_seq + 1).saturating_sub(verified.first_seq), "record"),
        counted(verified.segments as u64, "segment"),
        if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") },
        verified.last_seq,
        verified.last_hash,
    );
    if verified.first_seq > 1 {
        text.push_str(&format!("records before {} are deleted, as the log says\n", verified.first_seq));
    }
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

fn proof_text(found: &Inspection, witnessed: Option<&Witnessed>) -> String {
    let last = found.verified.as_ref().map_or(0, |verified| verified.last_seq);
    let mut text = String::new();
    if found.torn_checkpoint {
        text.push_str(
            "the end of `CHECKPOINTS` is no checkpoint: a write that was interrupted or is under way\n",
        );
    }
    if let Some(witnessed) = witnessed {
        if witnessed.other > 0 {
            text.push_str(&format!(
                "{} at the witness can be read as no checkpoint: writes that were interrupted\n",
                counted(witnessed.other as u64, "place")
            ));
        }
        text.push_str(&match found.witnessed {
            0 => "the witness vouches for no record\n".to_owned(),
            size => format!("complete up to record {size}: the witness keeps a checkpoint of it\n"),
        });
        if found.verified.is_some() && found.witnessed < last {
            text.push_str(&format!(
                "record {} is the first that is not yet witnessed\n",
                found.witnessed + 1
            ));
        }
        return text;
    }
    text.push_str(&match found.signed {
        0 => "no checkpoint covers the log: keep the number and the hash of the last record elsewhere, only comparing them \
              shows a later truncation or a log written anew\n"
            .to_owned(),
        size => format!(
            "complete up to record {size}, says the last of {} beside the log; whoever holds its key could have written all \
             of it anew, which only a witness shows: `--witness`\n",
            counted(found.checkpoints, "checkpoint")
        ),
    });
    text
}

/// What `verify --format json` prints about the whole log.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WholeJson<'v> {
    #[serde(flatten)]
    log: Option<LogJson<'v>>,
    checkpoints: u64,
    signed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    witnessed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_unwitnessed: Option<u64>,
    torn_checkpoint: bool,
    findings: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogJson<'v> {
    segments: usize,
    first_record: u64,
    records: u64,
    last_hash: &'v str,
    kinds: &'v BTreeMap<String, u64>,
    repairs: &'v BTreeMap<String, u64>,
    torn_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    empty_segment: Option<&'v str>,
}

impl<'v> WholeJson<'v> {
    fn of(found: &'v Inspection, has_witness: bool) -> Self {
        let log = found.verified.as_ref().map(|verified| LogJson {
            segments: verified.segments,
            first_record: verified.first_seq,
            records: (verified.last_seq + 1).saturating_sub(verified.first_seq),
            last_hash: &verified.last_hash,
            kinds: &verified.kinds,
            repairs: &verified.repairs,
            torn_bytes: verified.torn_bytes,
            empty_segment: verified.empty_segment.as_deref(),
        });
        let last = found.verified.as_ref().map_or(0, |verified| verified.last_seq);
        let next = found.witnessed + 1;
        Self {
            log,
            checkpoints: found.checkpoints,
            signed: found.signed,
            witnessed: has_witness.then_some(found.witnessed),
            first_unwitnessed: (has_witness && next <= last).then_some(next),
            torn_checkpoint: found.torn_checkpoint,
            findings: found.findings.iter().map(ToString::to_string).collect(),
        }
    }
}
