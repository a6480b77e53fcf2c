//! The names of a policy's expressions: `request` and its members, and their short forms.

use super::place::Place;
use crate::expr::ir::{AttributeRoot, Field};
use crate::expr::types::Type;

/// The names that expressions of a policy begin with.
pub(super) const ROOTS: &[&str] =
    &["request", "P", "R", "S", "signals", "V", "variables", "C", "constants", "G", "globals", "runtime"];

/// The record whose fields are whatever a policy or the settings define: `V`, `C` and `G`.
pub(super) const NAMES: Type = Type::Record("names");

const REQUEST: Type = Type::Record("request");
const PRINCIPAL: Type = Type::Record("request.principal");
const RESOURCE: Type = Type::Record("request.resource");
const AUX_DATA: Type = Type::Record("request.auxData");
/// One of `request.auxData.jwts`.
pub(super) const TOKEN: Type = Type::Record("request.auxData.jwts.name");
const ACTOR: Type = Type::Record("request.actor");
/// One of `signals`.
const SIGNAL: Type = Type::Record("signal");
const RUNTIME: Type = Type::Record("runtime");

/// What one of [`ROOTS`] stands for.
pub(super) fn root(name: &str) -> Option<Place> {
    Some(match name {
        "request" => Place::Field(Field::Request, REQUEST),
        "P" => Place::Field(Field::Principal, PRINCIPAL),
        "R" => Place::Field(Field::Resource, RESOURCE),
        "V" | "variables" => Place::Variables,
        "C" | "constants" => Place::Constants,
        "G" | "globals" => Place::Attribute(AttributeRoot::Globals, Vec::new()),
        "S" | "signals" => Place::Field(Field::Signals, Type::List(SIGNAL.into())),
        "runtime" => Place::Field(Field::Runtime, RUNTIME),
        _ => return None,
    })
}

/// How a member of the request is written that stands alone.
pub(super) fn full_name(name: &str) -> Option<&'static str> {
    match name {
        "principal" => Some("`request.principal` or `P`"),
        "resource" => Some("`request.resource` or `R`"),
        "auxData" | "aux_data" => Some("`request.auxData`"),
        "context" => Some("`request.context`"),
        "actor" => Some("`request.actor`"),
        _ => None,
    }
}

/// Names, the one that is shown first, and what they stand for.
pub(super) type Members = &'static [(&'static [&'static str], fn() -> Place)];

/// The members of a record, by name; `None` if they are not known before evaluation.
pub(super) fn members(record: &Type) -> Option<Members> {
    Some(match *record {
        REQUEST => &[
            (&["principal"], || Place::Field(Field::Principal, PRINCIPAL)),
            (&["resource"], || Place::Field(Field::Resource, RESOURCE)),
            (&["auxData", "aux_data"], || Place::Field(Field::AuxData, AUX_DATA)),
            (&["context"], || attributes(AttributeRoot::Context)),
            (&["actor"], || Place::Field(Field::Actor, ACTOR)),
        ],
        PRINCIPAL => &[
            (&["id"], || text(Field::PrincipalId)),
            (&["roles"], || names(Field::PrincipalRoles)),
            (&["attr"], || attributes(AttributeRoot::Principal)),
            (&["policyVersion", "policy_version"], || text(Field::PrincipalVersion)),
            (&["scope"], || text(Field::PrincipalScope)),
        ],
        RESOURCE => &[
            (&["kind"], || text(Field::ResourceKind)),
            (&["id"], || text(Field::ResourceId)),
            (&["attr"], || attributes(AttributeRoot::Resource)),
            (&["policyVersion", "policy_version"], || text(Field::ResourceVersion)),
            (&["scope"], || text(Field::ResourceScope)),
        ],
        RUNTIME => &[(&["effectiveDerivedRoles", "effective_derived_roles"], || names(Field::DerivedRoles))],
        AUX_DATA => &[
            (&["jwt"], || attributes(AttributeRoot::Claims)),
            (&["jwts"], || Place::Field(Field::Tokens, Type::Map(Type::String.into(), TOKEN.into()))),
            (&["bound"], || Place::Field(Field::Bound, Type::Bool)),
        ],
        ACTOR => &[
            (&["client_id"], || actor("client_id")),
            (&["instance_id"], || actor("instance_id")),
            (&["issuer"], || actor("issuer")),
            (&["chain"], || actor("chain")),
            (&["depth"], || actor("depth")),
            (&["leaf"], || actor("leaf")),
        ],
        SIGNAL => &[
            (&["type"], || text(Field::Signals)),
            (&["subject"], || text(Field::Signals)),
            (&["about"], || {
                Place::Field(Field::Signals, Type::Map(Type::String.into(), Type::String.into()))
            }),
            (&["source"], || text(Field::Signals)),
            (&["at"], || Place::Field(Field::Signals, Type::Timestamp)),
            (&["received"], || Place::Field(Field::Signals, Type::Timestamp)),
            (&["id"], || text(Field::Signals)),
            (&["data"], || Place::Field(Field::Signals, Type::Dyn)),
        ],
        TOKEN => &[(&["claims"], || attributes(AttributeRoot::Claims))],
        _ => return None,
    })
}

fn text(field: Field) -> Place {
    Place::Field(field, Type::String)
}

fn names(field: Field) -> Place {
    Place::Field(field, Type::List(Type::String.into()))
}

fn actor(name: &str) -> Place {
    Place::Attribute(AttributeRoot::Actor, vec![name.into()])
}

fn attributes(root: AttributeRoot) -> Place {
    Place::Attribute(root, Vec::new())
}
