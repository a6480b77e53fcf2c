//! YAML and JSON text to a tree of nodes with places: the only module that knows the YAML library.
//!
//! The tree keeps everything the later passes need to report all problems of a file at once. Anchors, aliases
//! and `<<` merges are resolved here; only YAML 1.2 booleans are booleans.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Location, MessageFormatter, Options, Spanned, UserMessageFormatter};

use super::diagnostic::Code;
use crate::limits::{POLICY_DEPTH, POLICY_NODES, POLICY_TEXT_BYTES};

/// A part of a file: byte range, and line and column (in characters, from 1) of its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Index of the file in the sorted set.
    pub(crate) file: u32,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Place {
    /// The beginning of a file.
    pub(crate) fn start_of(file: u32) -> Self {
        Self { file, line: 1, column: 1, start: 0, end: 0 }
    }

    /// The bytes `range` of `text`, which is file number `file`.
    pub(super) fn of(text: &str, range: Range<usize>, file: u32) -> Self {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let before = text.get(..range.start).unwrap_or(text);
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Self {
            file,
            line: number(before.matches('\n').count() + 1),
            column: number(column),
            start: number(range.start),
            end: number(range.end),
        }
    }
}

/// One value of a document.
#[derive(Debug)]
pub(crate) struct Node<'t> {
    pub(crate) place: Place,
    pub(crate) content: Content<'t>,
}

/// What a node holds.
#[derive(Debug)]
pub(crate) enum Content<'t> {
    Null,
    Bool(bool),
    Number(f64),
    String(Cow<'t, str>),
    List(Vec<Node<'t>>),
    Map(Vec<Entry<'t>>),
}

/// One entry of a map. Keys are text whatever they look like.
#[derive(Debug)]
pub(crate) struct Entry<'t> {
    pub(crate) key: Cow<'t, str>,
    pub(crate) place: Place,
    pub(crate) value: Node<'t>,
}

/// A parsed file: its documents that are not empty, and the keys that occur a second time in their map, each with the
/// place where it occurs again and the place where it occurs first.
#[derive(Debug, Default)]
pub(crate) struct Parsed<'t> {
    pub(crate) documents: Vec<Node<'t>>,
    pub(crate) repeated: Vec<(Cow<'t, str>, Place, Place)>,
}

/// Why a text is not YAML, and where.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) place: Place,
}

/// Parses all documents of `text`, which is file number `file` of the set.
pub(crate) fn parse(text: &str, file: u32) -> Result<Parsed<'_>, Fault> {
    let documents: Vec<Spanned<Raw<'_>>> =
        serde_saphyr::from_multiple_with_options(text, options()).map_err(|error| fault(&error, file))?;
    let mut parsed = Parsed::default();
    let mut builder = Builder { text, file, repeated: Vec::new() };
    for document in documents {
        parsed.documents.push(builder.node(document)?);
    }
    parsed.repeated = builder.repeated;
    Ok(parsed)
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: POLICY_NODES,
            max_depth: POLICY_DEPTH,
            max_events: 3 * POLICY_NODES,
            max_documents: POLICY_NODES,
            max_anchors: POLICY_NODES,
            max_aliases: POLICY_NODES,
            max_merge_keys: POLICY_NODES,
            max_recorded_anchor_events: POLICY_NODES,
            max_total_scalar_bytes: POLICY_TEXT_BYTES,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: POLICY_NODES },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::Reject,
        with_snippet: false,
    }
}

fn fault(error: &Error, file: u32) -> Fault {
    let place = error.location().map_or(Place::start_of(file), |location| place(location, file));
    let cause = cause(error);
    let message = UserMessageFormatter.format_message(cause);
    let (code, message) = match cause {
        Error::Budget { breach, .. } => (Code::TooLarge, over(breach)),
        Error::AliasReplayLimitExceeded { .. } => (Code::TooLarge, over_nodes()),
        _ if message == SCANNER_DEPTH => (Code::TooLarge, over_depth()),
        _ => (Code::Syntax, message.into_owned()),
    };
    Fault { code, message, place }
}

/// What the library says of brackets that its scanner, which reads ahead, finds too deep before we count them.
const SCANNER_DEPTH: &str = "recursion limit exceeded";

/// The error itself, without the source and the places of aliases around it.
fn cause(mut error: &Error) -> &Error {
    while let Error::WithSnippet { error: inner, .. } | Error::AliasError { error: inner, .. } = error {
        error = inner;
    }
    error
}

fn over(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Depth { .. } => over_depth(),
        BudgetBreach::ScalarBytes { .. } => {
            format!("the file holds more than {POLICY_TEXT_BYTES} bytes of text, aliases expanded")
        }
        // Documents, anchors, aliases and merges are values, or come with some.
        _ => over_nodes(),
    }
}

fn over_depth() -> String {
    format!("the document is nested deeper than {POLICY_DEPTH} levels")
}

fn over_nodes() -> String {
    format!("the file holds more than {POLICY_NODES} values, aliases expanded")
}

fn place(location: Location, file: u32) -> Place {
    let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let start = location.span().byte_offset().unwrap_or_default();
    let end = start.saturating_add(location.span().byte_len().unwrap_or_default());
    Place {
        file,
        line: narrow(location.line()).max(1),
        column: narrow(location.column()).max(1),
        start: narrow(start),
        end: narrow(end),
    }
}

struct Builder<'t> {
    text: &'t str,
    file: u32,
    repeated: Vec<(Cow<'t, str>, Place, Place)>,
}

impl<'t> Builder<'t> {
    fn node(&mut self, raw: Spanned<Raw<'t>>) -> Result<Node<'t>, Fault> {
        let content = match raw.value {
            Raw::Null => Content::Null,
            Raw::Bool(b) => Content::Bool(b),
            Raw::Number(n) => Content::Number(n),
            Raw::String(s) => Content::String(s),
            Raw::List(items) => {
                Content::List(items.into_iter().map(|item| self.node(item)).collect::<Result<_, _>>()?)
            }
            Raw::Map(entries) => Content::Map(self.entries(entries)?),
        };
        Ok(Node { place: place(raw.defined, self.file), content })
    }

    fn entries(&mut self, raw: Vec<(Spanned<Raw<'t>>, Spanned<Raw<'t>>)>) -> Result<Vec<Entry<'t>>, Fault> {
        let mut seen = BTreeMap::new();
        let mut entries = Vec::with_capacity(raw.len());
        for (key, value) in raw {
            let place = place(key.defined, self.file);
            let key = self.key(key.value, place)?;
            let value = self.node(value)?;
            match seen.get(&key) {
                Some(first) => self.repeated.push((key, place, *first)),
                None => {
                    seen.insert(key.clone(), place);
                    entries.push(Entry { key, place, value });
                }
            }
        }
        Ok(entries)
    }

    fn key(&self, raw: Raw<'t>, place: Place) -> Result<Cow<'t, str>, Fault> {
        match raw {
            Raw::String(text) => Ok(text),
            Raw::Null | Raw::Bool(_) | Raw::Number(_) => {
                Ok(Cow::Borrowed(self.text.get(place.start as usize..place.end as usize).unwrap_or_default()))
            }
            Raw::List(_) | Raw::Map(_) => {
                Err(Fault { code: Code::Syntax, message: "a key must be plain text".to_owned(), place })
            }
        }
    }
}

/// A value as the library hands it over.
enum Raw<'t> {
    Null,
    Bool(bool),
    Number(f64),
    String(Cow<'t, str>),
    List(Vec<Spanned<Raw<'t>>>),
    Map(Vec<(Spanned<Raw<'t>>, Spanned<Raw<'t>>)>),
}

impl<'de: 't, 't> Deserialize<'de> for Raw<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map, a list or a scalar")
    }

    fn visit_unit<E>(self) -> Result<Raw<'de>, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw<'de>, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Raw<'de>, E> {
        Ok(Raw::Bool(v))
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers are doubles by definition")]
    fn visit_i64<E>(self, v: i64) -> Result<Raw<'de>, E> {
        Ok(Raw::Number(v as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers are doubles by definition")]
    fn visit_u64<E>(self, v: u64) -> Result<Raw<'de>, E> {
        Ok(Raw::Number(v as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers are doubles by definition")]
    fn visit_i128<E>(self, v: i128) -> Result<Raw<'de>, E> {
        Ok(Raw::Number(v as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers are doubles by definition")]
    fn visit_u128<E>(self, v: u128) -> Result<Raw<'de>, E> {
        Ok(Raw::Number(v as f64))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Raw<'de>, E> {
        Ok(Raw::Number(v))
    }

    fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Raw<'de>, E> {
        Ok(Raw::String(Cow::Borrowed(v)))
    }

    fn visit_str<E>(self, v: &str) -> Result<Raw<'de>, E> {
        Ok(Raw::String(Cow::Owned(v.to_owned())))
    }

    fn visit_string<E>(self, v: String) -> Result<Raw<'de>, E> {
        Ok(Raw::String(Cow::Owned(v)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}
