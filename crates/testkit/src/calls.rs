//! Records of calls, made up but real in form.

use procura::ports::NewRecord;
use procura_core::model::{
    ActionDecision, Effect, Evaluation, Item, Principal, Reason, Request, Resource, ResourceEvaluation,
    Timestamp,
};
use procura_core::record::{Basis, Call, CallRecord, EncodedBasis, Vouchers};
use procura_core::value::{Map, Value};

/// A call to record: `principal` does `action` on the resource `album:<resource>`.
#[derive(Clone, Debug)]
pub struct MadeUpCall<'a> {
    /// The instant, which is also in the id.
    pub at: Timestamp,
    /// Tells calls of one instant apart.
    pub number: u64,
    /// Who asks.
    pub principal: &'a str,
    /// For what.
    pub action: &'a str,
    /// On which album.
    pub resource: &'a str,
    /// What is answered.
    pub effect: Effect,
    /// Bytes of an attribute that makes the record as large as one likes.
    pub padding: usize,
}

impl MadeUpCall<'_> {
    /// The call id: a UUIDv7 of the instant and the number.
    #[must_use]
    pub fn id(&self) -> String {
        let millis = self.at.as_millisecond().cast_unsigned();
        let (high, low) = (millis >> 16, millis & 0xffff);
        format!("{high:08x}-{low:04x}-7000-8000-{:012x}", self.number & 0xffff_ffff_ffff)
    }

    /// The encoded record.
    #[must_use]
    pub fn record(&self) -> NewRecord {
        let id = self.id();
        let (request, evaluation) = (self.request(), self.evaluation());
        let call = Call { id: id.into(), request_id: None, api: "check".into(), ..Call::default() };
        let basis = Basis {
            standing: procura_core::engine::Standing::default(),
            engine: "0.0.0".into(),
            policy_revision: "none".into(),
            policy_generation: 1,
            on_error: "closed".into(),
            default_policy_version: "default".into(),
            default_scope: "".into(),
            lenient_scope_search: false,
            strict_evaluation: false,
            schema_enforcement: "none".into(),
            globals: std::borrow::Cow::default(),
            durability: "durable".into(),
        };
        let record = CallRecord {
            at: self.at,
            call: &call,
            basis: &EncodedBasis::new(&basis),
            request: &request,
            vouchers: &Vouchers::default(),
            evaluation: &evaluation,
        };
        NewRecord { at: self.at, payload: record.encode().expect("a made-up record is small") }
    }

    fn request(&self) -> Request<'_> {
        let padding = Value::String("x".repeat(self.padding).into());
        let principal = Principal {
            id: self.principal.into(),
            roles: ["user".into()].into(),
            attr: Map::from_entries(vec![("padding".into(), padding)]).expect("one key"),
            policy_version: "".into(),
            scope: "".into(),
        };
        let resource = Resource {
            kind: "album".into(),
            id: self.resource.into(),
            attr: Map::default(),
            policy_version: "".into(),
            scope: "".into(),
        };
        let items = [Item { resource, actions: [self.action.into()].into() }].into();
        Request { principal, items, ..Request::default() }
    }

    fn evaluation(&self) -> Evaluation {
        let reason = match self.effect {
            Effect::Allow => Reason::AllowRule,
            Effect::Deny => Reason::DenyRule,
        };
        let decision = ActionDecision {
            ground: None,
            effect: self.effect,
            reason,
            own_policy: None,
            matched_scope: None,
            rule: Some("rule-001".into()),
            problems: Vec::new(),
        };
        let policy = "resource.album.vdefault".into();
        let result = ResourceEvaluation { actions: vec![decision], ..ResourceEvaluation::of_policy(policy) };
        Evaluation { resources: vec![result] }
    }
}
