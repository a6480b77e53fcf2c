//! Values during evaluation.
//!
//! A [`Val`] borrows from the request or the program for `'r` and owns only what an expression computed, so
//! common conditions allocate nothing and cloning is cheap.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::SignedDuration;

use super::Budget;
use super::functions::CallError;
use super::instant::Instant;
use crate::limits;
use crate::value::{Map, Value};

/// A CEL value.
#[derive(Clone, Debug)]
pub enum Val<'r> {
    /// `null_type`.
    Null,
    /// `bool`.
    Bool(bool),
    /// `int`, 64 bits signed.
    Int(i64),
    /// `uint`, 64 bits unsigned.
    Uint(u64),
    /// `double`.
    Double(f64),
    /// `string`.
    String(Str<'r>),
    /// `bytes`.
    Bytes(Arc<[u8]>),
    /// `list`.
    List(List<'r>),
    /// `map`.
    Map(MapVal<'r>),
    /// `google.protobuf.Timestamp`.
    Timestamp(Instant),
    /// `google.protobuf.Duration`.
    Duration(SignedDuration),
    /// `type`: the name of a type.
    Type(&'static str),
    /// `optional_type`.
    Optional(Option<Arc<Val<'r>>>),
    /// A value of an extension library.
    Opaque(Arc<Opaque>),
}

/// A string, borrowed or shared.
#[derive(Clone, Debug)]
pub enum Str<'r> {
    /// From the request or the program.
    Borrowed(&'r str),
    /// Computed.
    Owned(Arc<str>),
}

/// A list, borrowed or shared.
#[derive(Clone, Debug)]
pub enum List<'r> {
    /// An attribute of the request.
    Values(&'r [Value<'r>]),
    /// A list of names of the request, such as the roles.
    Names(&'r [Cow<'r, str>]),
    /// Computed.
    Owned(Arc<[Val<'r>]>),
}

/// A map, borrowed or shared.
#[derive(Clone, Debug)]
pub enum MapVal<'r> {
    /// An attribute of the request.
    Values(&'r Map<'r>),
    /// Computed: entries in order of insertion, keys unique.
    Owned(Arc<[(Val<'r>, Val<'r>)]>),
}

/// Values of the extension libraries that have no JSON form.
#[derive(Clone, Debug, PartialEq)]
pub enum Opaque {
    /// `hierarchy(...)`: the segments.
    Hierarchy(Vec<String>),
    /// `ip(...)`.
    Ip(std::net::IpAddr),
    /// `cidr(...)`: address as written and prefix length.
    Cidr(std::net::IpAddr, u8),
    /// `spiffeID(...)`: trust domain and path.
    SpiffeId {
        /// Trust domain, lower-case.
        trust_domain: String,
        /// Path with its leading slash, or empty.
        path: String,
    },
    /// `spiffeTrustDomain(...)`.
    SpiffeTrustDomain(String),
    /// `spiffeMatch...(...)`.
    SpiffeMatcher(SpiffeMatcher),
}

/// Which SPIFFE ids a matcher accepts.
#[derive(Clone, Debug, PartialEq)]
pub enum SpiffeMatcher {
    /// Any valid id.
    Any,
    /// One of these ids, in text form.
    OneOf(Vec<String>),
    /// Every id of a trust domain.
    TrustDomain(String),
}

impl<'r> Str<'r> {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Str::Borrowed(s) => s,
            Str::Owned(s) => s,
        }
    }
}

impl<'r> From<&'r Value<'r>> for Val<'r> {
    fn from(value: &'r Value<'r>) -> Self {
        match value {
            Value::Null => Val::Null,
            Value::Bool(b) => Val::Bool(*b),
            Value::Number(n) => Val::Double(*n),
            Value::String(s) => Val::String(Str::Borrowed(s)),
            Value::List(items) => Val::List(List::Values(items)),
            Value::Map(map) => Val::Map(MapVal::Values(map)),
        }
    }
}

impl<'r> List<'r> {
    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            List::Values(items) => items.len(),
            List::Names(names) => names.len(),
            List::Owned(items) => items.len(),
        }
    }

    /// Whether there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item at `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Val<'r>> {
        match self {
            List::Values(items) => items.get(index).map(Val::from),
            List::Names(names) => names.get(index).map(|name| Val::String(Str::Borrowed(name))),
            List::Owned(items) => items.get(index).cloned(),
        }
    }

    /// The items in order.
    pub fn iter(&self) -> impl Iterator<Item = Val<'r>> + '_ {
        (0..self.len()).filter_map(|i| self.get(i))
    }
}

impl<'r> Val<'r> {
    /// A computed string.
    #[must_use]
    pub fn string(text: &str) -> Val<'r> {
        Val::String(Str::Owned(text.into()))
    }

    /// A computed list.
    #[must_use]
    pub fn list(items: Vec<Val<'r>>) -> Val<'r> {
        Val::List(List::Owned(items.into()))
    }
}

impl<'r> Val<'r> {
    /// The boolean that this is.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Val::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The same value; a text is borrowed, which counts no references.
    #[inline]
    pub(crate) fn borrowed(&'r self) -> Val<'r> {
        match self {
            Val::String(text) => Val::String(Str::Borrowed(text.as_str())),
            Val::Bool(b) => Val::Bool(*b),
            Val::Int(n) => Val::Int(*n),
            Val::Double(n) => Val::Double(*n),
            other => other.clone(),
        }
    }

    /// What `type(...)` says.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Val::Null => "null_type",
            Val::Bool(_) => "bool",
            Val::Int(_) => "int",
            Val::Uint(_) => "uint",
            Val::Double(_) => "double",
            Val::String(_) => "string",
            Val::Bytes(_) => "bytes",
            Val::List(_) => "list",
            Val::Map(_) => "map",
            Val::Timestamp(_) => "google.protobuf.Timestamp",
            Val::Duration(_) => "google.protobuf.Duration",
            Val::Type(_) => "type",
            Val::Optional(_) => "optional_type",
            Val::Opaque(opaque) => opaque.type_name(),
        }
    }

    /// The same value, borrowing nothing; every value and text in it is charged.
    pub(crate) fn detached(&self, budget: &Budget) -> Result<Val<'static>, CallError> {
        budget.charge(1)?;
        Ok(match self {
            Val::Null => Val::Null,
            Val::Bool(b) => Val::Bool(*b),
            Val::Int(n) => Val::Int(*n),
            Val::Uint(n) => Val::Uint(*n),
            Val::Double(n) => Val::Double(*n),
            Val::String(text) => {
                budget.charge(text.as_str().len() / limits::BYTES_PER_COST_UNIT)?;
                Val::string(text.as_str())
            }
            Val::Bytes(bytes) => Val::Bytes(bytes.clone()),
            Val::List(items) => {
                Val::list(items.iter().map(|item| item.detached(budget)).collect::<Result<_, _>>()?)
            }
            Val::Map(map) => {
                let entries = (0..map.len()).filter_map(|at| map.entry(at));
                let detached =
                    entries.map(|(key, value)| Ok((key.detached(budget)?, value.detached(budget)?)));
                Val::Map(MapVal::Owned(detached.collect::<Result<_, CallError>>()?))
            }
            Val::Timestamp(t) => Val::Timestamp(*t),
            Val::Duration(d) => Val::Duration(*d),
            Val::Type(name) => Val::Type(name),
            Val::Optional(None) => Val::Optional(None),
            Val::Optional(Some(inner)) => Val::Optional(Some(Arc::new(inner.detached(budget)?))),
            Val::Opaque(opaque) => Val::Opaque(opaque.clone()),
        })
    }

    /// Whether the value nests at most `levels` deep; what is looked at is charged, as the same part may occur
    /// many times. Attributes count as flat: the request bounds them.
    pub(crate) fn nests_within(&self, levels: usize, budget: &Budget) -> Result<bool, CallError> {
        let parts: &mut dyn Iterator<Item = &Val<'r>> = match self {
            Val::List(List::Owned(items)) => &mut items.iter(),
            Val::Map(MapVal::Owned(entries)) => &mut entries.iter().map(|(_, value)| value),
            Val::Optional(Some(inner)) => &mut std::iter::once(&**inner),
            _ => return Ok(true),
        };
        if levels == 0 {
            return Ok(false);
        }
        for part in parts {
            budget.charge(1)?;
            if !part.nests_within(levels - 1, budget)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
