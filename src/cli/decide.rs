//! `procura decide`: one request against a directory of policies, without a server and without a record.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use arc_swap::ArcSwapOption;
use procura_core::model::Problem;

use super::clock::SystemClock;
use super::exit::Exit;
use super::options::Overrides;
use super::{policies, print, print_error, tokens};
use crate::http::RequestLimits;
use crate::http::cerbos::{CheckCall, CheckResponse};
use crate::pdp::{Active, Caller, Pdp};
use crate::ports::Clock;
use crate::telemetry::Metrics;

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
    /// Directory of the policies
    directory: PathBuf,
    /// File with the request in JSON; standard input if absent or `-`
    request: Option<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
}

/// Decides the request and prints the answer.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let config = args.overrides.load(Vec::new())?;
    let limits = super::serve::request_limits(&config.server);
    let (_, compiled) = policies::compile(&args.directory)?;
    let Some(snapshot) = compiled.snapshot else {
        print_error(&policies::report(&compiled.diagnostics));
        return Ok(Exit::Policy);
    };
    let body = read(args.request.as_deref(), &limits)?;
    let mut check = CheckCall::parse(&body, &limits).map_err(|invalid| anyhow::anyhow!("{invalid}"))?;

    let clock = Arc::new(SystemClock);
    let active = Active { snapshot, generation: 1, since: clock.now() };
    let active = Arc::new(ArcSwapOption::from_pointee(active));
    let caller = Caller { name: None, address: None, loopback: true };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let answer = runtime.block_on(async {
        let verifier = tokens::start(&config.aux_data, Arc::new(Metrics::new()?))?;
        let pdp = Pdp::new(active, None, clock, verifier, config.engine);
        anyhow::Ok(pdp.decide(&caller, &mut check.call).await?)
    })?;

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

fn read(path: Option<&Path>, limits: &RequestLimits) -> anyhow::Result<Vec<u8>> {
    let path = path.filter(|path| *path != Path::new("-"));
    let name = path.map_or("standard input".to_owned(), |path| format!("`{}`", path.display()));
    let source: Box<dyn Read> = match path {
        Some(path) => Box::new(File::open(path).with_context(|| format!("cannot read {name}"))?),
        None => Box::new(io::stdin()),
    };
    let most = limits.max_body_bytes;
    let mut body = Vec::new();
    source
        .take(u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1))
        .read_to_end(&mut body)
        .with_context(|| format!("cannot read {name}"))?;
    if body.len() > most {
        bail!("{name} is larger than {most} bytes, see `server.requestLimits.maxBodyBytes`");
    }
    Ok(body)
}
