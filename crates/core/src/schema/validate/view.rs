//! A value as it is looked at: borrowed, whether it stands alone, is the whole of the attributes or a name.

use super::super::node::Type;
use crate::value::{Map, Value};

/// A borrowed value.
#[derive(Clone, Copy, Debug)]
pub(super) enum View<'a> {
    Null,
    Bool(bool),
    Number(f64),
    String(&'a str),
    List(&'a [Value<'a>]),
    Map(&'a Map<'a>),
}

impl<'a> From<&'a Value<'a>> for View<'a> {
    fn from(value: &'a Value<'a>) -> Self {
        match value {
            Value::Null => View::Null,
            Value::Bool(b) => View::Bool(*b),
            Value::Number(n) => View::Number(*n),
            Value::String(text) => View::String(text),
            Value::List(items) => View::List(items),
            Value::Map(map) => View::Map(map),
        }
    }
}

impl View<'_> {
    /// Its type, which is never `integer`.
    pub(super) const fn type_of(self) -> Type {
        match self {
            View::Null => Type::Null,
            View::Bool(_) => Type::Boolean,
            View::Number(_) => Type::Number,
            View::String(_) => Type::String,
            View::List(_) => Type::Array,
            View::Map(_) => Type::Object,
        }
    }

    /// Whether it is of one of `types`; of any if there is none.
    pub(super) fn is_of(self, types: &[Type]) -> bool {
        let is_whole = matches!(self, View::Number(n) if n.fract() == 0.0);
        let own = self.type_of();
        types.is_empty()
            || types.iter().any(|wanted| *wanted == own || (is_whole && *wanted == Type::Integer))
    }

    /// What is said of it when it is of none of `types`.
    pub(super) fn is_none_of(self, types: &[Type]) -> String {
        let wanted: Vec<&str> = types.iter().map(|wanted| wanted.name()).collect();
        format!("expected {}, but got {}", wanted.join(" or "), self.type_of().name())
    }
}
