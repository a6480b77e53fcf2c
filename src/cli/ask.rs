//! One request from a file against a directory of policies, without a server and without a record.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use arc_swap::ArcSwapOption;
use tokio::runtime::Runtime;

use super::clock::SystemClock;
use super::options::Overrides;
use super::{policies, print_error, serve, tokens};
use crate::http::RequestLimits;
use crate::http::cerbos::CheckCall;
use crate::pdp::{Active, Caller, Pdp};
use crate::ports::Clock;
use crate::telemetry::Metrics;

/// What is asked, and of which policies.
#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// Directory of the policies
    directory: PathBuf,
    /// File with the request in JSON; standard input if absent or `-`
    request: Option<PathBuf>,
    /// Answer as to a caller that is bound to this tenant; may be given several times
    #[arg(long = "tenant", value_name = "TENANT")]
    tenants: Vec<String>,
    #[command(flatten)]
    overrides: Overrides,
}

/// Everything that an answer needs.
pub(super) struct Ready {
    pub(super) pdp: Pdp,
    pub(super) runtime: Runtime,
    pub(super) caller: Caller,
    body: Vec<u8>,
    limits: RequestLimits,
}

impl Asked {
    /// Compiles the policies and reads the request; nothing if the policies have errors, which are printed.
    pub(super) fn prepare(&self) -> anyhow::Result<Option<Ready>> {
        let config = self.overrides.load(Vec::new())?;
        let limits = serve::request_limits(&config.server);
        let (_, compiled) = policies::compile(&self.directory)?;
        let Some(snapshot) = compiled.snapshot else {
            print_error(&policies::report(&compiled.diagnostics));
            return Ok(None);
        };
        let body = read(self.request.as_deref(), &limits)?;
        let clock = Arc::new(SystemClock);
        let active = Active::new(snapshot, 1, clock.now());
        let active = Arc::new(ArcSwapOption::from_pointee(active));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let verifier = {
            let _context = runtime.enter();
            tokens::start(&config.aux_data, Arc::new(Metrics::new()?))?
        };
        let evidence = tokens::evidence(&config.aux_data);
        let pdp = Pdp::new(active, None, clock, verifier, config.engine).with_evidence(evidence);
        let caller = match self.tenants.is_empty() {
            true => Caller::unknown(None),
            false => Caller::bound_to(self.tenants.clone()),
        };
        Ok(Some(Ready { pdp, runtime, caller, body, limits }))
    }
}

impl Ready {
    /// The request, which borrows from what was read.
    pub(super) fn check(&self) -> anyhow::Result<CheckCall<'_>> {
        CheckCall::parse(&self.body, &self.limits).map_err(|invalid| anyhow!("{invalid}"))
    }
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
