//! Explanations as text for people: a tree for each resource and action.

use std::fmt::Display;

use procura_core::engine::{
    Block, Change, ExplainedAction, ExplainedCondition, ExplainedDemand, ExplainedDerivedRole,
    ExplainedMismatch, ExplainedResource, ExplainedRule, ExplainedSignal, ExplainedTruth, Explanation,
    Outcome,
};
use procura_core::expr::{ReadValue, Reading};
use procura_core::model::Effect;

/// The whole explanation.
pub(super) fn text(explanation: &Explanation) -> String {
    let mut out = Lines::default();
    for signal in &explanation.signals {
        out.signal(signal);
    }
    for resource in &explanation.results {
        out.resource(resource);
        for action in &resource.actions {
            out.skip();
            out.within(|out| out.action(action));
        }
        out.skip();
    }
    if explanation.truncated {
        out.line("the rest is left out: ask about fewer resources and actions");
    }
    out.text
}

/// What a trace says: the explanation of one action, and of the derived roles that its rules are about.
pub(super) fn trace(resource: &ExplainedResource) -> String {
    let mut out = Lines::default();
    for action in &resource.actions {
        out.action(action);
        let is_about = |role: &&ExplainedDerivedRole| {
            action.rules.iter().any(|rule| rule.derived_roles.contains(&role.name))
        };
        resource.derived_roles.iter().filter(is_about).for_each(|role| out.derived_role(role));
    }
    for error in &resource.validation_errors {
        out.mismatch(error);
    }
    out.text.trim_end().to_owned()
}

/// Lines of text, indented by two blanks a level.
#[derive(Default)]
struct Lines {
    text: String,
    depth: usize,
}

impl Lines {
    fn line(&mut self, text: impl Display) {
        self.text.push_str(&"  ".repeat(self.depth));
        self.text.push_str(&plain(&text.to_string()));
        self.text.push('\n');
    }

    fn skip(&mut self) {
        self.text.push('\n');
    }

    fn within(&mut self, write: impl FnOnce(&mut Self)) {
        self.depth += 1;
        write(self);
        self.depth -= 1;
    }

    fn resource(&mut self, resource: &ExplainedResource) {
        let ExplainedResource { kind, id, policy_version, .. } = resource;
        self.line(format_args!("{kind} {id}"));
        self.within(|out| {
            let scopes: Vec<_> = resource.resource_scopes.iter().map(|scope| named(scope)).collect();
            if !scopes.is_empty() {
                out.line(format_args!("policies of version {policy_version}, scopes: {}", scopes.join(", ")));
            }
            let roles = resource.roles.iter().map(|role| match role.above.as_slice() {
                [] => role.name.clone(),
                above => format!("{} (and with it {})", role.name, above.join(", ")),
            });
            out.line(format_args!("roles: {}", roles.collect::<Vec<_>>().join(", ")));
            resource.derived_roles.iter().for_each(|role| out.derived_role(role));
            resource.validation_errors.iter().for_each(|error| out.mismatch(error));
        });
    }

    fn mismatch(&mut self, error: &ExplainedMismatch) {
        let path = if error.path.is_empty() { "/" } else { &error.path };
        self.line(format_args!("attributes of the {}, {path}: {}", error.part, error.message));
    }

    fn derived_role(&mut self, role: &ExplainedDerivedRole) {
        let ExplainedDerivedRole { name, position, .. } = role;
        let holds = match role.holds {
            ExplainedTruth::True => "holds".to_owned(),
            _ if !role.parent_role_held => {
                format!("is not held: it needs the role {}", role.parent_roles.join(" or "))
            }
            ExplainedTruth::False => "is not held: its condition is false".to_owned(),
            ExplainedTruth::Undecided => "may or may not hold: its condition cannot be evaluated".to_owned(),
            ExplainedTruth::NotEvaluated | ExplainedTruth::CostExceeded => {
                "costs too much to find out".to_owned()
            }
        };
        self.line(format_args!("derived role {name} {holds} ({position})"));
        if let (true, Some(condition)) = (role.parent_role_held, &role.condition) {
            self.within(|out| out.condition(condition));
        }
    }

    fn signal(&mut self, signal: &ExplainedSignal) {
        let about: Vec<_> = signal.about.iter().map(|(kind, id)| format!("{kind} {}", plain(id))).collect();
        let (name, source, about) = (plain(&signal.name), plain(&signal.source), about.join(", "));
        self.line(format_args!("signal: {name} of {source} about {about}, {} s ago", signal.age));
    }

    fn action(&mut self, action: &ExplainedAction) {
        let ExplainedAction { action: name, reason, .. } = action;
        let answer = if action.effect == Effect::Allow { "allowed" } else { "denied" };
        let by = action.decided_by.as_ref().map_or_else(String::new, |decider| {
            let rule = decider.rule.as_ref().map_or_else(String::new, |rule| format!("rule {rule} of "));
            format!(", by {rule}{} ({})", decider.policy, decider.position)
        });
        self.line(format_args!("{name}: {answer}, {reason}{by}"));
        self.within(|out| {
            if let Some(ExplainedDemand { signal, max_age, capability }) = &action.demand {
                out.line(format_args!("asks for: {} at most {max_age} s old ({capability})", plain(signal)));
            }
            out.rules(action);
            for problem in &action.problems {
                out.line(format_args!("problem: {}: {}", problem.position, problem.message));
            }
            out.opposite(action);
        });
    }

    /// The rules, policy by policy; those that are about something else are only named.
    fn rules(&mut self, action: &ExplainedAction) {
        for rules in action.rules.chunk_by(|a, b| a.policy == b.policy) {
            let Some(first) = rules.first() else { continue };
            self.line(&first.policy);
            self.within(|out| {
                let is_elsewhere = |rule: &&ExplainedRule| {
                    matches!(rule.outcome, Outcome::ActionDiffers | Outcome::ResourceDiffers)
                };
                rules
                    .iter()
                    .filter(|rule| !is_elsewhere(rule))
                    .for_each(|rule| out.rule(rule, &action.action));
                let others: Vec<_> =
                    rules.iter().filter(is_elsewhere).filter_map(|rule| rule.rule.as_deref()).collect();
                if !others.is_empty() {
                    out.line(format_args!("not about {}: {}", action.action, others.join(", ")));
                }
            });
        }
    }

    fn rule(&mut self, rule: &ExplainedRule, action: &str) {
        let name = rule.rule.as_deref().unwrap_or("no rule");
        let effect = if rule.effect == Effect::Allow { "allow" } else { "deny" };
        self.line(format_args!("{name} [{effect}] {} ({})", said(rule, action), rule.position));
        if let Some(condition) = &rule.condition {
            self.within(|out| out.condition(condition));
        }
    }

    fn condition(&mut self, condition: &ExplainedCondition) {
        let truth = truth(condition.truth);
        let (block, items) = match &condition.block {
            Block::All(items) => ("all of", items),
            Block::Any(items) => ("any of", items),
            Block::None(items) => ("none of", items),
            Block::Expr { expr, position, error, readings } => {
                let error = error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
                self.line(format_args!("{truth}: {expr} ({position}){error}"));
                self.within(|out| readings.iter().for_each(|reading| out.reading(reading)));
                return;
            }
        };
        self.line(format_args!("{truth}: {block}"));
        self.within(|out| items.iter().for_each(|item| out.condition(item)));
    }

    fn reading(&mut self, reading: &Reading) {
        let Reading { expression, definition, .. } = reading;
        let definition = definition.as_ref().map_or_else(String::new, |text| format!(", which is {text}"));
        match &reading.value {
            ReadValue::Value(value) => self.line(format_args!("{expression} = {value}{definition}")),
            ReadValue::Error(error) => self.line(format_args!("{expression}: {error}{definition}")),
        }
        self.within(|out| reading.readings.iter().for_each(|reading| out.reading(reading)));
    }

    fn opposite(&mut self, action: &ExplainedAction) {
        let wish = if action.effect == Effect::Allow { "denied" } else { "allowed" };
        match action.opposite.as_slice() {
            [] => {}
            [only] => self.line(format_args!("it would be {wish} if {}", needed(only))),
            several => {
                self.line(format_args!("it would be {wish} if any one of these were so"));
                self.within(|out| several.iter().for_each(|change| out.line(needed(change))));
            }
        }
    }
}

/// What a change asks for.
fn needed(change: &Change) -> String {
    let Change { position, needed, .. } = change;
    let owner = match (&change.rule, &change.derived_role) {
        (Some(rule), _) => format!("rule {rule}"),
        (None, Some(role)) => format!("derived role {role}"),
        (None, None) => String::new(),
    };
    // Only the condition was reversed: another one may read the same attribute, so nothing is said of setting that.
    match (&change.attribute, &change.actual, &change.expr) {
        (Some(attribute), Some(actual), Some(expr)) => {
            format!("{expr} were {needed} ({attribute} is {actual}): {owner} ({position})")
        }
        (.., Some(expr)) => format!("{expr} were {needed}: {owner} ({position})"),
        _ => format!("the whole condition of {owner} were {needed} ({position})"),
    }
}

fn said(rule: &ExplainedRule, action: &str) -> String {
    let to = rule.speaks_to.iter().map(|spoken| match spoken.through.as_slice() {
        [only] if *only == spoken.role || only == "*" => spoken.role.clone(),
        through => format!("{} as {}", spoken.role, through.join(" and ")),
    });
    let to: Vec<_> = to.collect();
    let to = if to.is_empty() { String::new() } else { format!(" for {}", to.join(", ")) };
    match rule.outcome {
        Outcome::Allows => format!("allows{to}"),
        Outcome::Denies => format!("denies{to}"),
        Outcome::DeniesUndecided => format!("is taken to deny{to}: whether it does cannot be decided"),
        Outcome::Consents => format!("raises no objection{to}"),
        Outcome::ConditionNotMet => format!("does not apply{to}: its condition is false"),
        Outcome::Undecided => format!("does not apply{to}: whether it does cannot be decided"),
        Outcome::RoleNotHeld => {
            let roles = rule.roles.iter().map(|role| format!("role {role}"));
            let derived_roles = rule.derived_roles.iter().map(|role| format!("derived role {role}"));
            let all: Vec<_> = roles.chain(derived_roles).collect();
            format!("is not for this principal: it needs {}", all.join(" or "))
        }
        Outcome::NotAsked => "was not asked: others had decided".to_owned(),
        Outcome::NotListed => format!("denies: the role policy does not list {action}"),
        Outcome::ActionDiffers | Outcome::ResourceDiffers => format!("is not about {action}"),
    }
}

const fn truth(truth: ExplainedTruth) -> &'static str {
    match truth {
        ExplainedTruth::True => "true",
        ExplainedTruth::False => "false",
        ExplainedTruth::Undecided => "undecided",
        ExplainedTruth::NotEvaluated => "not needed",
        ExplainedTruth::CostExceeded => "too costly",
    }
}

fn named(scope: &str) -> &str {
    if scope.is_empty() { "the root" } else { scope }
}

/// Text on one line that cannot disturb a terminal.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split(['\n', '\r', '\t']).map(str::trim).collect();
    let line = if words.len() == 1 { text.to_owned() } else { words.join(" ") };
    line.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
