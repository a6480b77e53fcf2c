//! `procura decide`: one request against a directory of policies, without a server and without a record.

use std::collections::BTreeSet;

use procura_core::model::Problem;

use super::ask::Asked;
use super::exit::Exit;
use super::{print, print_error};
use crate::http::cerbos::CheckResponse;

const EXAMPLES: &str = "\
Examples:
  procura decide policies request.json
  echo '{\"principal\": {\"id\": \"ada\", \"roles\": [\"employee\"]},
         \"resources\": [{\"actions\": [\"view\"], \"resource\": {\"kind\": \"leave_request\", \"id\": \"7\"}}]}' \\
    | procura decide policies

The request and the answer are those of `POST /api/check/resources`.

Exit codes: 0 answered (also with a deny), 3 errors in policies, 1 the request is not valid.";

/// Answer one request from a file or standard input, without a server
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    asked: Asked,
}

/// Decides the request and prints the answer.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let Some(ready) = args.asked.prepare()? else {
        return Ok(Exit::Policy);
    };
    let mut check = ready.check()?;
    let answer = ready.runtime.block_on(ready.pdp.decide(&ready.caller, &mut check.call))?;

    let decisions = answer.evaluation.resources.iter().flat_map(|resource| &resource.actions);
    let problems = decisions.flat_map(|decision| &decision.problems);
    for problem in problems.map(problem_line).collect::<BTreeSet<_>>() {
        print_error(&problem);
    }
    let response = CheckResponse::new(&check, &answer.evaluation, &answer.call_id);
    print(&format!("{}\n", serde_json::to_string_pretty(&response)?))?;
    Ok(Exit::Ok)
}

/// The API does not tell callers what went wrong in a policy; whoever runs this command is its author.
fn problem_line(problem: &Problem) -> String {
    let Problem { source, expression, position, message, .. } = problem;
    format!("problem: {position}: {message}, in `{expression}` of `{source}`\n")
}
