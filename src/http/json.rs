//! JSON bodies: parsed straight into borrowed wire types; a body that fails is parsed once more to say where.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::RequestLimits;

/// Bytes that are counted with a counter of one byte, which lets the processor count many at once.
const COUNTED_AT_ONCE: usize = 128;

/// Most entries of a [`List`] or of [`Named`].
pub(super) const LIST_ENTRIES: usize = 1000;

/// Longest path or message that an error repeats, in characters: both may hold text of the request.
const ECHO_CHARS: usize = 300;

/// Members that hold tokens. Nothing of them is repeated, as a token may be anywhere in one that is wrong.
const TOKENS: [&str; 4] = ["auxData.jwts", "auxData.jwt", "auxData", "aux_data"];

/// What is wrong with one of [`TOKENS`].
const NO_TOKENS: &str = "expected `{\"jwt\": {\"token\": \"...\"}}`, or `jwts` with such objects by name; `keySetId` may stand \
                         beside `token`";

/// What is wrong with a request, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}`: {message}")]
pub struct Invalid {
    /// Path of the member within the body or query, such as `resources[0].actions`.
    pub path: String,
    /// What is wrong and what the limit is.
    pub message: String,
}

impl Invalid {
    /// A finding at `path`.
    pub(super) fn at(path: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self { path: shorten(&path.to_string()), message: shorten(&message.to_string()) }
    }
}

/// Parses `body` as one JSON value of type `T`.
pub(super) fn parse<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Invalid> {
    serde_json::from_slice(body).or_else(|_| locate(body))
}

/// How many `{`, `[`, `:` and `,` (structural characters, RFC 8259, section 2) `body` has, if it is not too many. Those
/// within strings count as long as that makes no difference: counting them is much faster than telling them apart.
pub(super) fn structure(body: &[u8], limits: &RequestLimits) -> Result<usize, Invalid> {
    let limit = limits.max_structural_chars;
    let with_strings = body.chunks(COUNTED_AT_ONCE).map(|chunk| usize::from(structure_of(chunk))).sum();
    if with_strings <= limit {
        return Ok(with_strings);
    }
    let count = structure_outside_strings(body);
    if count <= limit {
        return Ok(count);
    }
    let message = format_args!("more than {limit} of `{{`, `[`, `:` and `,` outside strings, the limit");
    Err(Invalid::at("$", message))
}

/// A JSON object. The derived parsers of structs also take arrays of members; this one does not.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

/// A JSON list that is refused while it is read if it is longer than any limit allows: a few bytes of text for each entry
/// would else grow into many bytes of memory.
#[derive(Debug)]
pub(super) struct List<T>(pub(super) Vec<T>);

/// A JSON object whose members are named by the caller: each name once, and no more of them than a [`List`] has entries.
#[derive(Debug)]
pub(super) struct Named<'a, T>(pub(super) BTreeMap<Cow<'a, str>, T>);

/// A JSON string, borrowed where it holds no escapes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

/// How many of at most [`COUNTED_AT_ONCE`] bytes are structural.
fn structure_of(chunk: &[u8]) -> u8 {
    chunk.iter().fold(0, |count: u8, byte| count.wrapping_add(u8::from(is_structural(*byte))))
}

fn structure_outside_strings(body: &[u8]) -> usize {
    let (mut count, mut in_string, mut escaped) = (0, false, false);
    for &byte in body {
        if escaped {
            escaped = false;
        } else if byte == b'"' {
            in_string = !in_string;
        } else if in_string {
            escaped = byte == b'\\';
        } else if is_structural(byte) {
            count += 1;
        }
    }
    count
}

const fn is_structural(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b':' | b',')
}

fn locate<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Invalid> {
    if body.is_empty() {
        return Err(Invalid::at("$", "the body is empty, expected a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        match TOKENS.iter().find(|member| path.starts_with(**member)) {
            Some(member) => Invalid::at(member, NO_TOKENS),
            None => Invalid::at(known_part(&path), error.inner()),
        }
    })?;
    json.end().map_err(|error| Invalid::at("$", error))?;
    Ok(value)
}

/// The path without a last segment that is not known; `$` for the body itself.
fn known_part(path: &str) -> &str {
    let known = path.trim_end_matches('?').trim_end_matches('.');
    if known.is_empty() { "$" } else { known }
}

fn shorten(text: &str) -> String {
    if text.chars().nth(ECHO_CHARS).is_none() {
        return text.to_owned();
    }
    text.chars().take(ECHO_CHARS).chain("…".chars()).collect()
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(entry) = seq.next_element()? {
                    if list.len() >= LIST_ENTRIES {
                        return Err(A::Error::custom(format_args!("more than {LIST_ENTRIES} entries")));
                    }
                    list.push(entry);
                }
                Ok(List(list))
            }
        }
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Named<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamedVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for NamedVisitor<T> {
            type Value = Named<'de, T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<'de, T>, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((Text(name), member)) = map.next_entry::<Text<'de>, T>()? {
                    if members.len() >= LIST_ENTRIES {
                        return Err(A::Error::custom(format_args!("more than {LIST_ENTRIES} members")));
                    }
                    if members.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("`{name}` is there twice")));
                    }
                    members.insert(name, member);
                }
                Ok(Named(members))
            }
        }
        deserializer.deserialize_map(NamedVisitor(PhantomData))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(v)))
            }
            fn visit_str<E>(self, v: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(v.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}
