//! `procura audit show`: one call, with everything that went into it.

use anyhow::bail;
use procura_core::record::{Decision, DecisionId, DecisionRecord, TokenInput, sentence};

use super::{Format, Where, as_json, decision_record};
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::ports::{DecisionQuery, StoredRecord};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Call id, or decision id `<call id>/<n>`
    id: String,
    #[command(flatten)]
    place: Where,
}

/// Shows one call, or says that there is none.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let id = DecisionId::parse(&args.id);
    let call_id = id.as_ref().map_or(args.id.as_str(), |id| &id.call);
    let found = args.place.open()?.get(call_id)?;
    let Some(stored) = found else {
        bail!(
            "there is no call `{call_id}` in this log: an id looks like `019ab3f2-6c1e-7d3a-9b52-0f4e1c2d3a4b`, the \
             answer's `cerbosCallId`"
        )
    };
    let record = decision_record(&stored)?;
    let number = id.as_ref().map(|id| id.number);
    let asked =
        || record.decisions().filter(|decision| number.is_none_or(|number| decision.id.number == number));
    if asked().next().is_none() {
        bail!("the call `{call_id}` has no decision `{}`", args.id);
    }
    if args.place.format == Format::Json {
        print(&as_json(&stored)?)?;
        return Ok(Exit::Ok);
    }
    let decisions: String = asked().map(|decision| explanation(&record, &decision)).collect();
    print(&format!("{}{decisions}", heading(&stored, &record)?))?;
    Ok(Exit::Ok)
}

fn heading(stored: &StoredRecord, record: &DecisionRecord<'_>) -> anyhow::Result<String> {
    let basis = &record.basis;
    let caller = [&record.call.caller.name, &record.call.caller.address];
    let caller: Vec<_> = caller.into_iter().flatten().map(|text| text.escape_debug().to_string()).collect();
    let inputs = inputs(record)?;
    Ok(format!(
        "call       {}\nat         {}\nthrough    {}\nfrom       {}\nrecord     {} of the chain, hash {}\n\
         policies   revision {}, generation {}\nsettings   engine {}, on error `{}`, log `{}`\n\
         principal  {}\n{inputs}",
        record.call.id,
        record.at,
        record.call.api,
        if caller.is_empty() { "unknown".to_owned() } else { caller.join(" at ") },
        stored.seq,
        stored.hash,
        basis.policy_revision,
        basis.policy_generation,
        basis.engine,
        basis.on_error,
        basis.durability,
        serde_json::to_string(&record.principal)?,
    ))
}

/// What the decisions rest on besides principal and resources, and what of all that is masked.
fn inputs(record: &DecisionRecord<'_>) -> anyhow::Result<String> {
    let mut text = String::new();
    if let Some(context) = &record.context {
        text.push_str(&format!("context    {}\n", serde_json::to_string(context)?));
    }
    if !record.basis.globals.is_empty() {
        text.push_str(&format!("globals    {}\n", serde_json::to_string(&record.basis.globals)?));
    }
    if let Some(tokens) = &record.aux_data {
        let one = tokens.jwt.iter().map(|token| (String::new(), token));
        let named = tokens.jwts.iter().map(|(name, token)| (format!("`{}` ", name.escape_debug()), token));
        for (name, TokenInput { key_set, key, attributes, claims }) in one.chain(named) {
            let claims = serde_json::to_string(claims)?;
            let by = key.as_ref().map(|key| format!(" by key `{}`", key.escape_debug())).unwrap_or_default();
            let voucher = match key_set {
                Some(key_set) => format!("for which key set `{}` vouched{by}", key_set.escape_debug()),
                None => "which nobody verified".to_owned(),
            };
            let names: Vec<_> = attributes.keys().map(|name| name.escape_debug().to_string()).collect();
            let taken = match names.as_slice() {
                [] => String::new(),
                names => format!("; attributes of the principal from it: {}", names.join(", ")),
            };
            text.push_str(&format!("claims     {name}{claims}, {voucher}{taken}\n"));
        }
        if tokens.bound {
            text.push_str("holder     proved to hold the key that the token is bound to\n");
        }
    }
    if let Some(actor) = &record.actor {
        text.push_str(&format!("actor      {}\n", serde_json::to_string(actor)?));
    }
    if let Some(txn) = &record.call.txn {
        let stated = if record.call.txn_stated { ", as the caller says" } else { "" };
        text.push_str(&format!("txn        {}{stated}\n", txn.escape_debug()));
    }
    if !record.masked.is_empty() {
        let paths: Vec<_> = record.masked.iter().map(|path| path.escape_debug().to_string()).collect();
        let replay =
            if record.is_complete() { "" } else { "; the decisions cannot be made again from the record" };
        text.push_str(&format!("masked     {}{replay}\n", paths.join(", ")));
    }
    Ok(text)
}

fn explanation(record: &DecisionRecord<'_>, decision: &Decision<'_, '_>) -> String {
    let mut text = format!("\n{}\n  {}\n", decision.id, sentence(record, decision));
    let resource = serde_json::to_string(decision.resource).unwrap_or_default();
    text.push_str(&format!("  resource {resource}\n"));
    if !decision.derived_roles.is_empty() {
        text.push_str(&format!("  derived roles {}\n", decision.derived_roles.join(", ")));
    }
    for output in decision.outputs {
        text.push_str(&format!("  output {}\n", serde_json::to_string(output).unwrap_or_default()));
    }
    for problem in decision.problems {
        text.push_str(&format!("  problem {}\n", serde_json::to_string(problem).unwrap_or_default()));
    }
    text
}
