//! The names of a policy's expressions: `request` and its members, and their short forms.

use super::place::Place;
use crate::expr::ir::{AttributeRoot, Field};
use crate::expr::types::Type;

/// The names that expressions of a policy begin with.
pub(super) const ROOTS: &[&str] =
    &["request", "P", "R", "V", "variables", "C", "constants", "G", "globals", "runtime"];

/// What one of [`ROOTS`] stands for.
pub(super) fn root(name: &str) -> Option<Place> {
    Some(match name {
        "request" => Place::Field(Field::Request, Type::attributes()),
        "P" => Place::Field(Field::Principal, Type::attributes()),
        "R" => Place::Field(Field::Resource, Type::attributes()),
        "V" | "variables" => Place::Variables,
        "C" | "constants" => Place::Constants,
        "G" | "globals" => Place::Globals,
        "runtime" => Place::Runtime,
        _ => return None,
    })
}

/// Names, the one that is shown first, and what they stand for.
pub(super) type Members = &'static [(&'static [&'static str], fn() -> Place)];

/// The members of a part of the request, by name.
pub(super) fn members(place: &Place) -> Option<Members> {
    Some(match place {
        Place::Field(Field::Request, _) => &[
            (&["principal"], || Place::Field(Field::Principal, Type::attributes())),
            (&["resource"], || Place::Field(Field::Resource, Type::attributes())),
            (&["auxData", "aux_data"], || Place::AuxData),
            (&["context"], || Place::Attribute(AttributeRoot::Context, Vec::new())),
        ],
        Place::Field(Field::Principal, _) => &[
            (&["id"], || text(Field::PrincipalId)),
            (&["roles"], || Place::Field(Field::PrincipalRoles, Type::List(Type::String.into()))),
            (&["attr"], || Place::Attribute(AttributeRoot::Principal, Vec::new())),
            (&["policyVersion", "policy_version"], || text(Field::PrincipalVersion)),
            (&["scope"], || text(Field::PrincipalScope)),
        ],
        Place::Field(Field::Resource, _) => &[
            (&["kind"], || text(Field::ResourceKind)),
            (&["id"], || text(Field::ResourceId)),
            (&["attr"], || Place::Attribute(AttributeRoot::Resource, Vec::new())),
            (&["policyVersion", "policy_version"], || text(Field::ResourceVersion)),
            (&["scope"], || text(Field::ResourceScope)),
        ],
        Place::Runtime => &[(&["effectiveDerivedRoles", "effective_derived_roles"], || {
            Place::Field(Field::DerivedRoles, Type::List(Type::String.into()))
        })],
        Place::AuxData => &[
            (&["jwt"], || Place::Absent("request.auxData.jwt".to_owned())),
            (&["jwts"], || Place::Absent("request.auxData.jwts".to_owned())),
        ],
        _ => return None,
    })
}

fn text(field: Field) -> Place {
    Place::Field(field, Type::String)
}
