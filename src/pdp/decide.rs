//! One call: snapshot, instant and id once; decide; record; only then answer.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use procura_core::engine;
use procura_core::model::{Evaluation, Request, Signals, Timestamp};
use procura_core::record::{self, Basis, CallRecord, EncodedBasis, RecordError, Vouchers};
use uuid::{NoContext, Uuid};

use super::caller::sender;
use super::{Active, Caller, Distrust, Pdp, Tokens, presented};
use crate::ports::{Durability, LogError, NewRecord, TokenError};
use crate::telemetry::{Api, TraceParent};

/// Cost units up to which a call is small: one or two milliseconds at most.
const SMALL_CALL: u64 = 100_000;

/// A valid request together with how it came in.
#[derive(Debug)]
pub struct Call<'a> {
    /// Through which API.
    pub api: Api,
    /// The caller's own id for the request, empty if it gave none.
    pub request_id: Cow<'a, str>,
    /// What is asked. Its `aux_data` is what `tokens` turn out to say, its `tenants` are those of the caller, and nothing
    /// else; so are the attributes of its principal that are to come from claims.
    pub request: Request<'a>,
    /// The tokens that came with it.
    pub tokens: Tokens<'a>,
    /// The trace of its caller that it belongs to.
    pub trace: Option<TraceParent>,
}

/// What a call is answered. It exists only once its record is as durable as the log promises.
#[derive(Debug)]
pub struct Answer {
    /// Id of the call, a UUIDv7 made from its instant. Decision `n` of the call is `<call id>/<n>`, counted from 1.
    pub call_id: String,
    /// The policy set that decided.
    pub active: Arc<Active>,
    /// The decisions.
    pub evaluation: Evaluation,
    /// When the call was complete and valid.
    pub begun: Instant,
    /// Time to evaluate.
    pub decide: Duration,
    /// Time to record; zero if the log is turned off.
    pub record: Duration,
}

/// Why a call is not answered.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// No policy set is live.
    #[error("no policy set has been loaded yet")]
    NoPolicySet,
    /// A token is not believed, so nothing is decided.
    #[error("`auxData.{token}`: {error}")]
    Token {
        /// Which one: `jwt`, or `jwts` and its name.
        token: String,
        /// Why.
        error: TokenError,
    },
    /// A token is believed and must not be used like this, so nothing is decided.
    #[error("`auxData.{token}`: {reason}")]
    Distrusted {
        /// Which one: `jwt`, or `jwts` and its name.
        token: String,
        /// What is wrong.
        distrust: Distrust,
        /// Why.
        reason: Cow<'static, str>,
    },
    /// The decision was made but could not be recorded.
    #[error(transparent)]
    Unrecorded(#[from] LogError),
    /// The decision was made but has no record.
    #[error(transparent)]
    Unrecordable(#[from] RecordError),
}

impl Pdp {
    /// Decides `call` for `caller` and records it. Dropping the future gives up the answer, not the record.
    ///
    /// INVARIANT(one_snapshot): the snapshot, the clock and the id are each taken once per call, here.
    pub async fn decide(&self, caller: &Caller, call: &mut Call<'_>) -> Result<Answer, DecideError> {
        let begun = Instant::now();
        let now = self.clock.now();
        let evidence = self.rely(call, now).await?;
        call.request.tenants = caller.asks_for();
        let started = if call.tokens.is_empty() { begun } else { Instant::now() };
        // The set is taken after the tokens, which may have to wait for keys.
        let active = self.active.load_full().ok_or(DecideError::NoPolicySet)?;
        let call_id = call_id(now);
        self.sense(call, &evidence.vouchers, now);

        let evaluation = self.evaluate(&active, &call.request, now).await;
        let decided = Instant::now();
        let mut recorded = decided;

        // INVARIANT(record_before_answer): an answer leaves this function only after its receipt.
        if let Some(log) = &self.log {
            let origin = record::Call {
                id: Cow::Borrowed(&call_id),
                request_id: Some(Cow::Borrowed(&*call.request_id)).filter(|id| !id.is_empty()),
                trace_id: call.trace.as_ref().map(|trace| Cow::Borrowed(trace.trace_id())),
                api: Cow::Borrowed(call.api.as_str()),
                txn: evidence.transaction.as_ref().map(|txn| Cow::Borrowed(txn.id.as_str())),
                txn_stated: evidence.transaction.as_ref().is_some_and(|txn| txn.is_stated),
                caller: sender(caller),
            };
            let route = self.routes.iter().find(|(api, _)| *api == call.api);
            let durability = route.map_or_else(|| log.durability(), |(_, durability)| *durability);
            let record = CallRecord {
                at: now,
                call: &origin,
                basis: &self.encoded_basis(&active, durability),
                request: &call.request,
                vouchers: &evidence.vouchers,
                evaluation: &evaluation,
            };
            let payload = match &self.masking {
                None => record.encode()?,
                Some(masking) => masking.encode(&record).await?,
            };
            log.append_as(NewRecord { at: now, payload }, durability).await?;
            recorded = Instant::now();
        }
        let (decide, record) = (decided - started, recorded - decided);
        Ok(Answer { call_id, active, evaluation, begun, decide, record })
    }

    /// Puts what is held true about `call` into its request.
    ///
    /// INVARIANT(facts_after_call): facts are asked for when the call is complete, so that none is missed whose event was
    /// acknowledged before the call was sent.
    pub(super) fn sense(&self, call: &mut Call<'_>, vouchers: &Vouchers, now: Timestamp) {
        call.request.signals = match &self.facts {
            Some((facts, rules)) => {
                let asked = (&call.request, vouchers);
                presented::signals(&**facts, rules, asked, &self.settings.default_scope, now)
            }
            None => Signals::default(),
        };
    }

    /// A small call is decided at once. A large one waits until a processor is free for it and hands the worker's
    /// other tasks over, so that the server stays responsive whatever large calls there are.
    async fn evaluate(&self, active: &Active, request: &Request<'_>, now: Timestamp) -> Evaluation {
        let (snapshot, settings) = (&active.snapshot, &self.settings);
        if let Some(evaluation) = engine::decide_within(snapshot, request, settings, now, SMALL_CALL) {
            return evaluation;
        }
        // The semaphore is never closed; without a permit the call is decided all the same.
        let _permit = self.large_calls.acquire().await.ok();
        tokio::task::block_in_place(|| engine::decide(snapshot, request, settings, now))
    }

    /// The basis of records, encoded once for each policy set and durability.
    fn encoded_basis<'r>(&self, active: &'r Active, durability: Durability) -> Cow<'r, EncodedBasis> {
        let basis = || EncodedBasis::new(&self.basis(active, durability));
        let known = active.basis.get(durability.index());
        known.map_or_else(|| Cow::Owned(basis()), |known| Cow::Borrowed(known.get_or_init(basis)))
    }

    /// What the decisions rest on besides the request.
    fn basis<'r>(&'r self, active: &'r Active, durability: Durability) -> Basis<'r> {
        let settings = &self.settings;
        Basis {
            engine: Cow::Borrowed(env!("CARGO_PKG_VERSION")),
            policy_revision: Cow::Borrowed(active.snapshot.revision.as_str()),
            policy_generation: active.generation,
            on_error: Cow::Borrowed(settings.on_error.as_str()),
            default_policy_version: Cow::Borrowed(&settings.default_policy_version),
            default_scope: Cow::Borrowed(&settings.default_scope),
            lenient_scope_search: settings.lenient_scope_search,
            strict_evaluation: settings.strict_evaluation,
            schema_enforcement: Cow::Borrowed(settings.schema_enforcement.as_str()),
            globals: Cow::Borrowed(&settings.globals),
            standing: settings.standing,
            durability: Cow::Borrowed(durability.as_str()),
        }
    }
}

pub(super) fn call_id(now: Timestamp) -> String {
    let (seconds, nanos) = (now.as_second().max(0), now.subsec_nanosecond().max(0));
    let at = uuid::Timestamp::from_unix(NoContext, seconds.unsigned_abs(), nanos.unsigned_abs());
    Uuid::new_v7(at).hyphenated().encode_lower(&mut Uuid::encode_buffer()).to_owned()
}
