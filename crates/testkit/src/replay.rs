//! A decision made again from its record and the policy set of its revision.

use procura_core::policy::Snapshot;
use procura_core::record::{AuxDataInput, CallRecord, DecisionRecord, EncodedBasis, Record};
use procura_core::replay::RecordedCall;

/// The record of the same call, decided anew with nothing but the encoded `record` and `snapshot`.
#[must_use]
pub fn replayed(record: &[u8], snapshot: &Snapshot) -> Vec<u8> {
    let original = decoded(record);
    let call = RecordedCall::of(&original).unwrap();
    let evaluation = call.decide(snapshot);
    let anew = CallRecord {
        at: original.at,
        call: &original.call,
        basis: &EncodedBasis::new(&original.basis),
        request: &call.request,
        vouchers: &original.aux_data.as_ref().map(AuxDataInput::vouchers).unwrap_or_default(),
        evaluation: &evaluation,
    };
    anew.encode().unwrap()
}

fn decoded(record: &[u8]) -> DecisionRecord<'_> {
    match Record::decode(record).unwrap() {
        Record::Decision(record) => *record,
        other => panic!("a decision, not {other:?}"),
    }
}
