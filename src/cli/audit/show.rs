//! `procura audit show`: one call, with everything that went into it.

use anyhow::bail;
use procura_core::record::{Decision, DecisionId, DecisionRecord, sentence};

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
    let context = match &record.context {
        Some(context) => format!("context    {}\n", serde_json::to_string(context)?),
        None => String::new(),
    };
    Ok(format!(
        "call       {}\nat         {}\nthrough    {}\nfrom       {}\nrecord     {} of the chain, hash {}\n\
         policies   revision {}, generation {}\nsettings   engine {}, on error `{}`, log `{}`\n\
         principal  {}\n{context}",
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
