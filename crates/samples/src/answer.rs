//! What is answered about one resource, in a form that can be compared.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

/// The answer about one resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The decision for each action.
    pub actions: BTreeMap<String, Decision>,
    /// The derived roles in effect.
    pub derived_roles: BTreeSet<String>,
    /// What the rules put out; sorted, since the peer decides the actions of a request in any order.
    pub outputs: Vec<Output>,
    /// Attributes that do not fit their schema, as `part path message`; sorted.
    pub validation_errors: Vec<String>,
}

/// The decision for one action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is allowed.
    pub allow: bool,
    /// The policy that decided.
    pub policy: String,
    /// The scope of the policy that decided.
    pub scope: String,
}

/// One output.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Policy and rule.
    pub src: String,
    /// The action.
    pub action: String,
    /// The value; `None` for an error.
    pub value: Option<Json>,
}

impl Answer {
    /// Brings what has no order into one.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        let key = |output: &Output| {
            (output.action.clone(), output.src.clone(), output.value.as_ref().map(Json::to_string))
        };
        self.outputs.sort_by_key(key);
        self.validation_errors.sort();
        self
    }
}

impl Answer {
    /// What differs between this answer and another one, a line for each; `who` says which is whose.
    #[must_use]
    pub fn differences(&self, other: &Answer, who: (&str, &str)) -> String {
        let (one, two) = who;
        let mut text = String::new();
        for (action, decision) in &self.actions {
            let other = other.actions.get(action);
            if Some(decision) != other {
                text.push_str(&format!("\n  {action}: {one} says {decision:?}, {two} {other:?}"));
            }
        }
        for (what, one_says, two_says) in [
            ("derived roles", format!("{:?}", self.derived_roles), format!("{:?}", other.derived_roles)),
            ("validation", self.validation_errors.join("; "), other.validation_errors.join("; ")),
        ] {
            if one_says != two_says {
                text.push_str(&format!("\n  {what}: {one} says {one_says}, {two} {two_says}"));
            }
        }
        for (who, outputs, others) in [(one, self, other), (two, other, self)] {
            for output in beyond(&outputs.outputs, &others.outputs) {
                text.push_str(&format!("\n  only {who}: {output:?}"));
            }
        }
        text
    }
}

/// The outputs of `one` that `other` does not have, each as often as there are more.
#[must_use]
pub fn beyond(one: &[Output], other: &[Output]) -> Vec<Output> {
    let mut other = other.to_vec();
    let mut beyond = Vec::new();
    for output in one {
        match other.iter().position(|known| known == output) {
            Some(found) => drop(other.remove(found)),
            None => beyond.push(output.clone()),
        }
    }
    beyond
}

/// The answers in the body that the check API sends, one for each resource.
///
/// # Errors
///
/// What is missing in the body.
pub fn parse(body: &Json) -> Result<Vec<Answer>, String> {
    let results = body["results"].as_array().ok_or_else(|| format!("no results: {body}"))?;
    results.iter().map(answer).collect()
}

fn answer(result: &Json) -> Result<Answer, String> {
    let effects = result["actions"].as_object().ok_or_else(|| format!("no actions: {result}"))?;
    let decision = |(action, effect): (&String, &Json)| {
        let meta = &result["meta"]["actions"][action];
        let text = |name: &str| meta[name].as_str().unwrap_or_default().to_owned();
        let allow = effect == "EFFECT_ALLOW";
        (action.clone(), Decision { allow, policy: text("matchedPolicy"), scope: text("matchedScope") })
    };
    let list = |value: &Json| value.as_array().cloned().unwrap_or_default();
    let name = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let output = |value: &Json| Output {
        src: name(&value["src"]),
        action: name(&value["action"]),
        value: value.get("error").is_none().then(|| doubles(&value["val"])),
    };
    let error = |value: &Json| {
        format!("{} {} {}", name(&value["source"]), name(&value["path"]), name(&value["message"]))
    };
    let answer = Answer {
        actions: effects.iter().map(decision).collect(),
        derived_roles: list(&result["meta"]["effectiveDerivedRoles"]).iter().map(name).collect(),
        outputs: list(&result["outputs"]).iter().map(output).collect(),
        validation_errors: list(&result["validationErrors"]).iter().map(error).collect(),
    };
    Ok(answer.sorted())
}

/// The value with every number as a double, as JSON tells no whole numbers from others.
#[must_use]
pub fn doubles(value: &Json) -> Json {
    match value {
        Json::Number(number) => number.as_f64().map_or(Json::Null, Json::from),
        Json::Array(items) => items.iter().map(doubles).collect(),
        Json::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), doubles(value))).collect(),
        Json::Null | Json::Bool(_) | Json::String(_) => value.clone(),
    }
}
