//! From the JSON of a webhook to facts: expressions that the operator writes, in the language of conditions.
//!
//! They know `body`, `now` and `source`. `facts` yields a list of maps, see [`Assertion`]; `when`, if there is one, says whether
//! there is anything to map; `id` yields the name of the event.

use std::sync::Arc;

use procura_core::expr::{
    self, Bindings, Budget, Declarations, Instant, Program, Scope, Str, Type, Typing, Val,
};
use procura_core::model::Timestamp;
use procura_core::value::Value;

use super::said::{Assertion, NotSaid};

/// Cost units that the expressions of one event may spend together, and reading what they yield: about as long as deciding
/// a call of ordinary size takes.
const COST: u64 = 100_000;

/// Longest name of an event, in bytes.
const ID_BYTES: usize = 256;

/// The expressions of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappingText {
    /// Whether there is anything to map; absent: always.
    pub when: Option<String>,
    /// The facts.
    pub facts: String,
    /// The name of the event; absent: something else names it.
    pub id: Option<String>,
}

/// The expressions of a source, compiled.
#[derive(Debug)]
pub struct Mapping {
    source: Arc<str>,
    when: Option<Program>,
    facts: Program,
    id: Option<Program>,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapped {
    /// Its name, if the mapping has one for it.
    pub id: Option<String>,
    /// What it states; nothing if `when` does not hold.
    pub said: Vec<Assertion>,
}

/// Why an event says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMapped {
    /// The body is no JSON, or JSON that is not taken.
    #[error("the body is not JSON that is taken: {0}")]
    Json(String),
    /// An expression has no value.
    #[error("`{expression}` has no value for this body: {message}")]
    NoValue {
        /// Which.
        expression: &'static str,
        /// Why, without anything of the body.
        message: &'static str,
    },
    /// An expression yields something else than it should.
    #[error("`{0}` yields something else than {1}")]
    NotOfType(&'static str, &'static str),
    /// What `facts` yields is no list of facts.
    #[error("`facts` yields what is no fact: {0}")]
    NotSaid(#[from] NotSaid),
}

impl Mapping {
    /// The expressions of `text`, for the source of this name.
    ///
    /// # Errors
    /// Everything that is wrong with them, with the expression, its line and its column.
    pub fn compile(source: &str, text: &MappingText) -> Result<Self, Vec<String>> {
        let optional =
            |name, text: &Option<String>| text.as_deref().map(|text| program(name, text)).transpose();
        let (when, facts, id) =
            (optional("when", &text.when), program("facts", &text.facts), optional("id", &text.id));
        match (when, facts, id) {
            (Ok(when), Ok(facts), Ok(id)) => Ok(Self { source: source.into(), when, facts, id }),
            (when, facts, id) => {
                let wrong = [when.err(), facts.err(), id.err()].into_iter().flatten();
                Err(wrong.flatten().collect())
            }
        }
    }

    /// What the event says whose body this is.
    ///
    /// # Errors
    /// If it is not what the mapping is made for, or would cost too much. Nothing of the body is repeated.
    pub fn read(&self, body: &[u8], now: Timestamp) -> Result<Mapped, NotMapped> {
        let body: Value<'_> =
            serde_json::from_slice(body).map_err(|error| NotMapped::Json(json_fault(&error)))?;
        let budget = Budget::new(COST, COST);
        let source = Val::String(Str::Borrowed(&self.source));
        let values = [Some(Val::from(&body)), Some(Val::Timestamp(Instant::from(now))), Some(source)];
        let scope = Scope::of_bindings(Bindings { values: &values, now }, &budget);
        let id = self.id.as_ref().map(|program| event_id(program, &scope)).transpose()?;
        let is_wanted = self.when.as_ref().map(|program| holds(program, &scope)).transpose()?;
        if is_wanted == Some(false) {
            return Ok(Mapped { id, said: Vec::new() });
        }
        let facts = value("facts", &self.facts, &scope)?;
        let facts = facts.to_json(&budget).map_err(|_| NotMapped::NotOfType("facts", "JSON"))?;
        Ok(Mapped { id, said: Assertion::list(facts)? })
    }
}

fn program(name: &str, text: &str) -> Result<Program, Vec<String>> {
    let variables = [("body", Type::Dyn), ("now", Type::Timestamp), ("source", Type::String)];
    let declarations = Declarations { container: "", variables: &variables, typing: Typing::Static };
    let shown = |finding: expr::ExprDiagnostic| {
        let (line, column) = place(text, finding.range.start);
        let hint = finding.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("`{name}`, line {line}, column {column}: {}{hint}", finding.message)
    };
    expr::compile_with(text, &declarations).map_err(|findings| findings.into_iter().map(shown).collect())
}

/// Line and column of a byte of `text`, from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

fn value<'r>(
    expression: &'static str,
    program: &'r Program,
    scope: &Scope<'r>,
) -> Result<Val<'r>, NotMapped> {
    use expr::EvalErrorKind::{BadConstant, CostExceeded, InvalidArgument, NoSuchKey, NoSuchOverload, Range};
    program.eval(scope).map_err(|error| {
        let message = match error.kind {
            NoSuchKey => "a member that it reads is missing",
            NoSuchOverload => "a value is of another type than it takes",
            InvalidArgument | BadConstant => "a value is not what a function takes",
            Range => "a number or an index is out of range",
            CostExceeded => "it costs more than one event may",
        };
        NotMapped::NoValue { expression, message }
    })
}

fn holds<'r>(program: &'r Program, scope: &Scope<'r>) -> Result<bool, NotMapped> {
    value("when", program, scope)?.as_bool().ok_or(NotMapped::NotOfType("when", "a boolean"))
}

fn event_id<'r>(program: &'r Program, scope: &Scope<'r>) -> Result<String, NotMapped> {
    let expected = "a text of 1 to 256 bytes without control characters";
    match value("id", program, scope)? {
        Val::String(id) if is_event_id(id.as_str()) => Ok(id.as_str().to_owned()),
        _ => Err(NotMapped::NotOfType("id", expected)),
    }
}

/// Whether `id` can name an event.
pub(super) fn is_event_id(id: &str) -> bool {
    (1..=ID_BYTES).contains(&id.len()) && !id.chars().any(char::is_control)
}

/// What is wrong with JSON, without anything of it: where is enough.
fn json_fault(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Data => {
            "it is nested too deep, has a key twice or a number out of range"
        }
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => "it is malformed",
    };
    format!("{what} at line {}, column {}", error.line(), error.column())
}

#[cfg(test)]
mod tests;
