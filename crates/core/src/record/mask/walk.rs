//! The members of one map that rules are about, however deep.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::path::{Place, Step};
use super::{MaskKeys, Masks, Rule, Treatment};
use crate::value::{Map, Value};

/// Masks values and remembers by which rules.
pub(super) struct Walker<'m> {
    rules: &'m [Rule],
    keys: &'m MaskKeys,
    /// The kinds of the resources of the call; `None` for those of every rule.
    kinds: Option<Vec<&'m str>>,
    /// The texts that were masked, each with the rule that did, if they are asked for later.
    hidden: Option<BTreeMap<String, usize>>,
    /// By the number of the rule: whether it has masked something.
    used: Vec<bool>,
    /// Whether it has masked something since this was last asked.
    has_masked: bool,
}

/// A rule and the steps that are still to take.
type Ahead<'m> = (usize, &'m [Step]);

impl<'m> Walker<'m> {
    pub(super) fn new(masks: &'m Masks, keys: &'m MaskKeys, kinds: Vec<&'m str>) -> Self {
        let used = vec![false; masks.rules.len()];
        Self { rules: &masks.rules, keys, kinds: Some(kinds), hidden: None, used, has_masked: false }
    }

    /// For a signal, which may be about resources of any kind.
    pub(super) fn of_signal(masks: &'m Masks, keys: &'m MaskKeys) -> Self {
        Self { kinds: None, ..Self::new(masks, keys, Vec::new()) }
    }

    /// The same, which remembers the texts that it masks.
    pub(super) fn remembering(self) -> Self {
        Self { hidden: Some(BTreeMap::new()), ..self }
    }

    /// The rule that has masked `text`, if one did.
    pub(super) fn hidden_by(&self, text: &str) -> Option<usize> {
        self.hidden.as_ref()?.get(text).copied()
    }

    /// The first rule that begins at `place`.
    pub(super) fn first_at(&self, place: Place) -> Option<usize> {
        self.rules_at(&[place], None).next().map(|(number, _)| number)
    }

    /// The rules that have masked something.
    pub(super) fn used(&self) -> impl Iterator<Item = &'m Rule> + '_ {
        self.rules.iter().zip(&self.used).filter(|(_, used)| **used).map(|(rule, _)| rule)
    }

    /// Whether something was masked since this was last asked.
    pub(super) fn take_has_masked(&mut self) -> bool {
        std::mem::take(&mut self.has_masked)
    }

    /// The map at `place` of a resource of this `kind`, or of the whole call, without what must not be seen.
    pub(super) fn map<'v>(&mut self, map: &Map<'v>, place: Place, kind: Option<&str>) -> Map<'v> {
        let ahead: Vec<Ahead<'m>> =
            self.rules_at(&[place], kind).map(|(number, rule)| (number, &rule.path.steps[..])).collect();
        if ahead.is_empty() { map.clone() } else { self.members(map, &ahead) }
    }

    /// The text at one of `places` as it may be seen; `None` if it is removed.
    pub(super) fn text<'v>(
        &mut self,
        text: &Cow<'v, str>,
        places: &[Place],
        kind: Option<&str>,
    ) -> Option<Cow<'v, str>> {
        let first = self.rules_at(places, kind).next().map(|(number, _)| number);
        match first {
            None => Some(text.clone()),
            Some(number) => match self.masked(number, &Value::String(Cow::Borrowed(text))) {
                Some(Value::String(digest)) => Some(Cow::Owned(digest.into_owned())),
                _ => None,
            },
        }
    }

    /// What becomes of what rules put out about a resource of this `kind`, if something does.
    pub(super) fn output_rule(&self, kind: &str) -> Option<(usize, Treatment)> {
        self.rules_at(&[Place::Outputs], Some(kind)).next().map(|(number, rule)| (number, rule.treatment))
    }

    /// What stands for `value` by the rule of this `number`; `None` if it is removed.
    pub(super) fn masked(&mut self, number: usize, value: &Value<'_>) -> Option<Value<'static>> {
        self.note(number);
        if let Some(hidden) = &mut self.hidden {
            hide(value, number, hidden);
        }
        let key = match self.rules.get(number)?.treatment {
            Treatment::Hash => self.keys.hash.as_ref(),
            Treatment::Pseudonym => self.keys.pseudonym.as_ref(),
            Treatment::Remove | Treatment::Keep => None,
        };
        key.map(|key| Value::String(key.digest(value).into()))
    }

    /// Notes that the rule of this `number` has masked something.
    pub(super) fn note(&mut self, number: usize) {
        if let Some(used) = self.used.get_mut(number) {
            *used = true;
        }
        self.has_masked = true;
    }

    /// The rules that begin at one of `places`, in their order.
    fn rules_at<'s>(
        &'s self,
        places: &'s [Place],
        kind: Option<&'s str>,
    ) -> impl Iterator<Item = (usize, &'m Rule)> + 's {
        self.rules.iter().enumerate().filter(move |(_, rule)| {
            places.contains(&rule.path.place)
                && match kind {
                    Some(kind) => rule.is_about(kind),
                    None => match &self.kinds {
                        Some(kinds) => kinds.iter().any(|kind| rule.is_about(kind)),
                        None => true,
                    },
                }
        })
    }

    fn members<'v>(&mut self, map: &Map<'v>, ahead: &[Ahead<'m>]) -> Map<'v> {
        let mut seen = Map::default();
        for (key, value) in map.iter() {
            if let Some(value) = self.member(Some(key), value, ahead) {
                seen.insert(Cow::Owned(key.to_owned()), value);
            }
        }
        seen
    }

    fn member<'v>(&mut self, key: Option<&str>, value: &Value<'v>, ahead: &[Ahead<'m>]) -> Option<Value<'v>> {
        let next: Vec<Ahead<'m>> = ahead
            .iter()
            .filter_map(|(number, steps)| {
                let (step, rest) = steps.split_first()?;
                step.leads_to(key).then_some((*number, rest))
            })
            .collect();
        if let Some((number, _)) = next.iter().find(|(_, rest)| rest.is_empty()) {
            return self.masked(*number, value);
        }
        Some(match value {
            _ if next.is_empty() => value.clone(),
            Value::Map(map) => Value::Map(self.members(map, &next)),
            // The places of the others must not change: what is removed leaves a null.
            Value::List(items) => Value::List(
                items.iter().map(|item| self.member(None, item, &next).unwrap_or(Value::Null)).collect(),
            ),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        })
    }
}

/// Puts every text of `value` among the `hidden` ones.
fn hide(value: &Value<'_>, number: usize, hidden: &mut BTreeMap<String, usize>) {
    match value {
        Value::String(text) if !text.is_empty() => {
            hidden.entry(text.to_string()).or_insert(number);
        }
        Value::List(items) => items.iter().for_each(|item| hide(item, number, hidden)),
        Value::Map(map) => map.iter().for_each(|(_, value)| hide(value, number, hidden)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
