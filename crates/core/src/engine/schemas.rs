//! Whether the attributes of principal and resource fit the schemas that the policy of the root scope names.

use super::target::Target;
use super::{Call, SchemaEnforcement};
use crate::expr::Budget;
use crate::model::{Item, ValidatedPart, ValidationError};
use crate::policy::AttributeSchema;
use crate::schema::{Mismatch, TooCostly};
use crate::value::Map;

/// What schemas say of the attributes of one item.
pub(super) enum Fitness {
    /// They may be used. What does not fit is reported.
    Passed(Vec<ValidationError>),
    /// They do not fit, and they must.
    Rejected(Vec<ValidationError>),
    /// To find out would cost more than the call may spend.
    TooCostly,
}

/// Looks at the attributes of the principal and of `item`, if the scope that it asks for is found.
pub(super) fn judge(call: &Call<'_>, target: &Target<'_>, item: &Item<'_>) -> Fitness {
    let enforcement = call.settings.schema_enforcement;
    let is_asked = enforcement != SchemaEnforcement::None && !target.resource.scopes.is_empty();
    let schemas = is_asked.then(|| call.snapshot.schemas(target.kind, target.version)).flatten();
    let Some(schemas) = schemas else { return Fitness::Passed(Vec::new()) };
    let parts = [
        (ValidatedPart::Principal, &schemas.principal, &call.request.principal.attr),
        (ValidatedPart::Resource, &schemas.resource, &item.resource.attr),
    ];
    let mut errors = Vec::new();
    for (part, schema, attributes) in parts {
        let Some(schema) = schema else { continue };
        match validate(schema, attributes, item, call.budget) {
            Ok(mismatches) => {
                let error = |Mismatch { path, message }| ValidationError { part, path, message };
                errors.extend(mismatches.into_iter().map(error));
            }
            Err(TooCostly) => return Fitness::TooCostly,
        }
    }
    match enforcement {
        SchemaEnforcement::Reject if !errors.is_empty() => Fitness::Rejected(errors),
        _ => Fitness::Passed(errors),
    }
}

fn validate(
    used: &AttributeSchema,
    attributes: &Map<'_>,
    item: &Item<'_>,
    budget: &Budget,
) -> Result<Vec<Mismatch>, TooCostly> {
    if is_ignored(used, item, budget)? {
        return Ok(Vec::new());
    }
    match &used.schema {
        Ok(schema) => schema.validate(attributes, budget),
        Err(message) => Ok(vec![Mismatch { path: String::new(), message: message.to_string() }]),
    }
}

/// Whether every requested action is one for which the schema does not matter.
fn is_ignored(used: &AttributeSchema, item: &Item<'_>, budget: &Budget) -> Result<bool, TooCostly> {
    for action in &item.actions {
        let cost = used.ignored_actions.iter().map(|pattern| pattern.cost(action)).sum();
        budget.charge_call(cost).map_err(|_| TooCostly)?;
        if !used.ignored_actions.iter().any(|pattern| pattern.matches(action)) {
            return Ok(false);
        }
    }
    Ok(true)
}
