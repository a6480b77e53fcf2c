//! Which members of a call a rule is about: `principal.attr.email`, `resource.attr.owners.*`, `context["a.b"]`.

use crate::limits::{MASK_PATH_BYTES, MASK_STEPS};

/// A place in a call, and the way from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) place: Place,
    /// From the map at the place. Never empty there; empty for a place without members.
    pub(super) steps: Vec<Step>,
}

/// Where a path begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    PrincipalId,
    PrincipalAttr,
    ResourceId,
    ResourceAttr,
    Context,
    Jwt,
    Jwts,
    Actor,
    Txn,
    Caller,
    CallerName,
    CallerAddress,
    RequestId,
    Outputs,
    Session,
    Device,
    SignalSubject,
    SignalData,
}

/// One step into a map or a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Every member of a map, every element of a list.
    Any,
    /// The member of a map with this name.
    Member(String),
}

/// Every place as it is written, and whether it is a map with members.
const PLACES: [(&[&str], Place, bool); 18] = [
    (&["principal", "id"], Place::PrincipalId, false),
    (&["principal", "attr"], Place::PrincipalAttr, true),
    (&["resource", "id"], Place::ResourceId, false),
    (&["resource", "attr"], Place::ResourceAttr, true),
    (&["context"], Place::Context, true),
    (&["auxData", "jwt"], Place::Jwt, true),
    (&["auxData", "jwts"], Place::Jwts, true),
    (&["actor"], Place::Actor, true),
    (&["call", "txn"], Place::Txn, false),
    (&["call", "caller", "name"], Place::CallerName, false),
    (&["call", "caller", "address"], Place::CallerAddress, false),
    (&["call", "caller"], Place::Caller, false),
    (&["call", "requestId"], Place::RequestId, false),
    (&["outputs"], Place::Outputs, false),
    (&["presented", "session"], Place::Session, false),
    (&["presented", "device"], Place::Device, false),
    (&["signals", "subject"], Place::SignalSubject, false),
    (&["signals", "data"], Place::SignalData, true),
];

impl Path {
    /// Reads a path; `Err` says what is wrong with it.
    pub(super) fn parse(written: &str) -> Result<Self, String> {
        if written.len() > MASK_PATH_BYTES {
            return Err(format!("has {} bytes, the limit is {MASK_PATH_BYTES}", written.len()));
        }
        let steps = steps(written).ok_or_else(|| {
            format!("must be names joined by dots, `*`, or `[\"name\"]` for any other name, not `{written}`")
        })?;
        let begins = |names: &[&str]| {
            steps.len() >= names.len()
                && steps.iter().zip(names).all(|(step, name)| matches!(step, Step::Member(m) if m == name))
        };
        let place = PLACES
            .iter()
            .find(|(names, _, has_members)| begins(names) && (*has_members || steps.len() == names.len()));
        let Some((names, place, has_members)) = place else {
            return Err(format!("is about nothing that a record has: `{written}`; {}", known()));
        };
        let mut steps: Vec<Step> = steps.into_iter().skip(names.len()).collect();
        if *has_members && steps.is_empty() {
            steps.push(Step::Any);
        }
        if steps.len() > MASK_STEPS {
            return Err(format!("has {} steps, the limit is {MASK_STEPS}", steps.len()));
        }
        Ok(Self { place: *place, steps })
    }
}

impl Place {
    /// Whether decisions can depend on it, or are what is there.
    pub(super) fn is_decided_on(self) -> bool {
        !matches!(self, Self::Caller | Self::CallerName | Self::CallerAddress | Self::RequestId | Self::Txn)
    }
}

impl Step {
    /// Whether it leads to the member `key`; `None` is an element of a list.
    pub(super) fn leads_to(&self, key: Option<&str>) -> bool {
        match self {
            Step::Any => true,
            Step::Member(name) => key == Some(name),
        }
    }
}

fn known() -> String {
    let mut names: Vec<String> = PLACES.iter().map(|(names, ..)| format!("`{}`", names.join("."))).collect();
    let last = names.pop().unwrap_or_default();
    format!("paths begin with {} or {last}", names.join(", "))
}

/// The steps of `written`; `None` if it is not a path.
fn steps(written: &str) -> Option<Vec<Step>> {
    let (mut steps, mut rest) = (Vec::new(), written);
    while !rest.is_empty() || steps.is_empty() {
        let (step, after) = match rest.strip_prefix('[') {
            Some(quoted) => quoted_name(quoted)?,
            None if steps.is_empty() => name(rest)?,
            None => name(rest.strip_prefix('.')?)?,
        };
        steps.push(step);
        rest = after;
    }
    Some(steps)
}

fn name(text: &str) -> Option<(Step, &str)> {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '/' | '@');
    match name {
        "" => None,
        "*" => Some((Step::Any, rest)),
        _ if name.chars().all(is_plain) => Some((Step::Member(name.to_owned()), rest)),
        _ => None,
    }
}

/// A JSON string up to `"]`.
fn quoted_name(text: &str) -> Option<(Step, &str)> {
    let mut names = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let name = names.next()?.ok()?;
    let rest = text.get(names.byte_offset()..)?.strip_prefix(']')?;
    Some((Step::Member(name), rest))
}
