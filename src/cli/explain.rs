//! `procura explain`: why one request is answered as it is, without a server and without a record.

use clap::ValueEnum;

use super::ask::Asked;
use super::exit::Exit;
use super::{explanation, print};
use crate::http::explain::ExplainResponse;

const EXAMPLES: &str = "\
Examples:
  procura explain policies request.json
  procura explain policies request.json -o json | jq '.results[].actions[].opposite'
  echo '{\"principal\": {\"id\": \"ada\", \"roles\": [\"employee\"]},
         \"resources\": [{\"actions\": [\"view\"], \"resource\": {\"kind\": \"leave_request\", \"id\": \"7\"}}]}' \\
    | procura explain policies

The request is that of `POST /api/check/resources`, the same that `procura decide` takes; the JSON is that of
`POST /api/explain`.

For each action it lists the rules in the order in which they are looked at: which of them said something, or why they
said nothing; each condition as a tree with what its parts came to and the values that they read; and what alone would
have given the opposite answer. That last part is made sure of by deciding again with just that condition reversed;
where nothing is listed, more than one condition stands in the way, or none of them does.

Exit codes: 0 answered (also with a deny), 3 errors in policies, 1 the request is not valid.";

/// Say why a request is answered as it is, and what would give the opposite answer
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    asked: Asked,
    /// How to show the explanation
    #[arg(short, long, value_enum, default_value_t = Format::Tree)]
    output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Tree,
    /// For programs
    Json,
}

/// Explains the request.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let Some(ready) = args.asked.prepare()? else {
        return Ok(Exit::Policy);
    };
    let mut check = ready.check()?;
    let explained = ready.runtime.block_on(ready.pdp.explain(&ready.caller, &mut check.call))?;
    let text = match args.output {
        Format::Tree => explanation::text(&explained.explanation),
        Format::Json => {
            let response = ExplainResponse::new(&check, &explained.explanation);
            format!("{}\n", serde_json::to_string_pretty(&response)?)
        }
    };
    print(&text)?;
    Ok(Exit::Ok)
}
