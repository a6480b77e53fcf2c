//! One call: snapshot, instant and id once; decide; record; only then answer.

/// What a call is answered.
#[derive(Debug)]
pub struct Answer;

/// Why a call is not answered.
#[derive(Debug)]
pub struct DecideError;
