//! Subject identifiers: RFC 9493, Shared Signals Framework 1.0 (section 3) and RFC 9967 (section 2.1).

use std::borrow::Cow;
use std::net::IpAddr;

use super::member::{self, Malformed};
use crate::limits::{SUBJECT_PARTS, SUBJECT_TEXT_BYTES};
use crate::model::spiffe;
use crate::value::{Map, Value};

/// What an event is about, as the transmitter names it.
///
/// A simple subject is one [`Part`] without a member; a complex one has a part for each of its members, all of which
/// are meant together. Two are equal if they say the same, whatever the order of members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier {
    parts: Vec<Part>,
}

/// One thing that an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The member of the complex subject: `user`, `device`, …; `None` for a simple one.
    pub member: Option<Box<str>>,
    /// Its identifiers: one, or several if it has aliases.
    pub identifiers: Vec<Simple>,
}

/// An identifier of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simple {
    format: Format,
    texts: Vec<(&'static str, Box<str>)>,
}

/// How a thing is identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// RFC 9493, section 3.2.1.
    Account,
    /// RFC 9493, section 3.2.2.
    Email,
    /// RFC 9493, section 3.2.3.
    IssSub,
    /// RFC 9493, section 3.2.4.
    Opaque,
    /// RFC 9493, section 3.2.5.
    PhoneNumber,
    /// RFC 9493, section 3.2.6.
    Did,
    /// RFC 9493, section 3.2.7.
    Uri,
    /// Shared Signals Framework 1.0, section 3.4.
    JwtId,
    /// Shared Signals Framework 1.0, section 3.4.
    SamlAssertionId,
    /// Shared Signals Framework 1.0, section 3.4.
    IpAddresses,
    /// RFC 9967, section 2.1.
    Scim,
}

impl Format {
    /// Every format of one thing; `aliases` and `complex` are built from them.
    pub const ALL: [Self; 11] = [
        Self::Account,
        Self::Email,
        Self::IssSub,
        Self::Opaque,
        Self::PhoneNumber,
        Self::Did,
        Self::Uri,
        Self::JwtId,
        Self::SamlAssertionId,
        Self::IpAddresses,
        Self::Scim,
    ];

    /// The name on the wire and in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Email => "email",
            Self::IssSub => "iss_sub",
            Self::Opaque => "opaque",
            Self::PhoneNumber => "phone_number",
            Self::Did => "did",
            Self::Uri => "uri",
            Self::JwtId => "jwt_id",
            Self::SamlAssertionId => "saml_assertion_id",
            Self::IpAddresses => "ip-addresses",
            Self::Scim => "scim",
        }
    }

    /// The format of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }

    /// The texts that an identifier of this format always has.
    #[must_use]
    pub const fn required(self) -> &'static [&'static str] {
        match self {
            Self::Account | Self::Uri | Self::Scim => &["uri"],
            Self::Email => &["email"],
            Self::IssSub => &["iss", "sub"],
            Self::Opaque => &["id"],
            Self::PhoneNumber => &["phone_number"],
            Self::Did => &["url"],
            Self::JwtId => &["iss", "jti"],
            Self::SamlAssertionId => &["issuer", "assertion_id"],
            Self::IpAddresses => &[],
        }
    }

    /// The texts that it may have. `segment` is the last one of the `uri` of a SCIM resource, so always there.
    #[must_use]
    pub const fn optional(self) -> &'static [&'static str] {
        match self {
            Self::Scim => &["externalId", "id", SEGMENT],
            _ => &[],
        }
    }
}

/// The last segment of the path of a SCIM resource: derived, no member on the wire.
const SEGMENT: &str = "segment";

impl Identifier {
    /// Reads what stands in `sub_id`.
    ///
    /// # Errors
    /// What is wrong with it, if it is no identifier of a format that we know. Members that a format does not have are
    /// an error (RFC 9493, section 3), but for `scim`, which may grow.
    pub fn read(value: &Value<'_>) -> Result<Self, Malformed> {
        let map = object(value)?;
        let parts = match format_name(map)? {
            "complex" => complex(map)?,
            _ => vec![Part { member: None, identifiers: thing(map)? }],
        };
        Ok(Self { parts })
    }

    /// What is meant, together; never empty.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The only identifier, if there is just one, of one thing.
    #[must_use]
    pub fn simple(&self) -> Option<&Simple> {
        match self.parts.as_slice() {
            [Part { member: None, identifiers }] => match identifiers.as_slice() {
                [simple] => Some(simple),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Simple {
    /// How the thing is identified.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// One of the texts of its format; see [`Format::required`].
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.iter().find(|(known, _)| *known == name).map(|(_, text)| &**text)
    }

    /// Who gives out the name, where the format says that.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.text("iss").or_else(|| self.text("issuer"))
    }
}

fn object<'m, 'v>(value: &'m Value<'v>) -> Result<&'m Map<'v>, Malformed> {
    match value {
        Value::Map(map) => Ok(map),
        _ => Err(Malformed::new("sub_id", "is not an object")),
    }
}

fn format_name<'m>(map: &'m Map<'_>) -> Result<&'m str, Malformed> {
    member::text(map, "format", SUBJECT_TEXT_BYTES)
}

/// The members of a complex subject, in the order of their names.
fn complex(map: &Map<'_>) -> Result<Vec<Part>, Malformed> {
    const COMPLEX: &str = "complex";
    if map.len() > SUBJECT_PARTS + 1 {
        return Err(Malformed::new(COMPLEX, "has too many members"));
    }
    let part = |(name, value): (&str, &Value<'_>)| {
        let name = member::bounded(name, COMPLEX, SUBJECT_TEXT_BYTES)?;
        let map = object(value)?;
        if format_name(map)? == COMPLEX {
            return Err(Malformed::new(COMPLEX, "is nested"));
        }
        Ok(Part { member: Some(name.into()), identifiers: thing(map)? })
    };
    let parts: Vec<Part> =
        map.iter().filter(|(name, _)| *name != "format").map(part).collect::<Result<_, _>>()?;
    if parts.is_empty() {
        return Err(Malformed::new(COMPLEX, "has no members"));
    }
    Ok(parts)
}

/// The identifiers of one thing: several if `map` lists aliases.
fn thing(map: &Map<'_>) -> Result<Vec<Simple>, Malformed> {
    const ALIASES: &str = "identifiers";
    if format_name(map)? != "aliases" {
        return Ok(vec![simple(map)?]);
    }
    only(map, &["format", ALIASES])?;
    match map.get(ALIASES) {
        None => Err(Malformed::new(ALIASES, "is missing")),
        Some(Value::List(items)) if items.is_empty() => Err(Malformed::new(ALIASES, "is empty")),
        Some(Value::List(items)) if items.len() > SUBJECT_PARTS => {
            Err(Malformed::new(ALIASES, "has too many elements"))
        }
        // An alias of the format `aliases` is no simple one and so refused (RFC 9493, section 3.2.8).
        Some(Value::List(items)) => items.iter().map(|item| simple(object(item)?)).collect(),
        Some(_) => Err(Malformed::new(ALIASES, "is not a list")),
    }
}

fn simple(map: &Map<'_>) -> Result<Simple, Malformed> {
    let format = Format::of(format_name(map)?).ok_or(Malformed::new("format", "is not one that is known"))?;
    if format == Format::IpAddresses {
        return addresses(map);
    }
    let mut texts = Vec::new();
    for name in format.required().iter().copied() {
        let text = member::text(map, name, SUBJECT_TEXT_BYTES)?;
        texts.push((name, checked(format, name, text)?.into()));
    }
    for name in format.optional().iter().copied().filter(|name| *name != SEGMENT) {
        if let Some(text) = member::optional_text(map, name, SUBJECT_TEXT_BYTES)? {
            texts.push((name, text.into()));
        }
    }
    if format == Format::Scim {
        let segment = member::text(map, "uri", SUBJECT_TEXT_BYTES)?.rsplit('/').next().unwrap_or_default();
        texts.push((SEGMENT, segment.into()));
    } else if map.len() != texts.len() + 1 {
        return Err(unexpected());
    }
    Ok(Simple { format, texts })
}

/// The addresses are held against the standard and not kept: nothing maps them.
fn addresses(map: &Map<'_>) -> Result<Simple, Malformed> {
    const MEMBER: &str = "ip-addresses";
    only(map, &["format", MEMBER])?;
    let listed = member::optional_texts(map, MEMBER, SUBJECT_PARTS)?;
    match listed.as_deref() {
        None => Err(Malformed::new(MEMBER, "is missing")),
        Some([]) => Err(Malformed::new(MEMBER, "is empty")),
        Some(texts) if texts.iter().any(|text| text.parse::<IpAddr>().is_err()) => {
            Err(Malformed::new(MEMBER, "has an element that is no address"))
        }
        Some(texts) => {
            let texts = texts.iter().map(|text| (MEMBER, Box::from(*text))).collect();
            Ok(Simple { format: Format::IpAddresses, texts })
        }
    }
}

fn only(map: &Map<'_>, names: &[&str]) -> Result<(), Malformed> {
    if map.iter().all(|(name, _)| names.contains(&name)) { Ok(()) } else { Err(unexpected()) }
}

const fn unexpected() -> Malformed {
    Malformed::new("sub_id", "has a member that its format does not have")
}

/// `text` in the form in which it is compared, if it is what `format` asks for.
///
/// The domain of an email address is in lower case, as it means the same in any (RFC 5321, section 2.4); what stands
/// before it is the affair of that domain, and stays as it is.
fn checked<'t>(format: Format, name: &'static str, text: &'t str) -> Result<Cow<'t, str>, Malformed> {
    let ok = match format {
        Format::Email => {
            return match text.rsplit_once('@') {
                Some((local, domain)) if !local.is_empty() && !domain.is_empty() => {
                    Ok(Cow::Owned(format!("{local}@{}", domain.to_ascii_lowercase())))
                }
                _ => Err(Malformed::new(name, "is no email address")),
            };
        }
        Format::PhoneNumber => is_phone_number(text),
        Format::Account => has_scheme(text, |scheme| scheme.eq_ignore_ascii_case("acct")),
        Format::Did => has_scheme(text, |scheme| scheme == "did"),
        Format::Uri if spiffe::is_claimed(text) => spiffe::id(text).is_ok(),
        Format::Uri => has_scheme(text, |_| true),
        Format::Scim => is_resource(text),
        _ => true,
    };
    ok.then_some(Cow::Borrowed(text))
        .ok_or(Malformed::new(name, "is not of the form that its format asks for"))
}

/// E.164: a plus sign and at most 15 digits.
fn is_phone_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (1..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// RFC 3986, section 3.1, and something behind the scheme.
fn has_scheme(text: &str, fits: impl Fn(&str) -> bool) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
            && !rest.is_empty()
            && !text.contains(char::is_whitespace)
            && fits(scheme)
    })
}

/// The path of a resource below the base of its service: a type and a name, no segment of which is empty or leads
/// elsewhere.
fn is_resource(text: &str) -> bool {
    let segments: Vec<&str> = text.strip_prefix('/').unwrap_or(text).split('/').collect();
    segments.len() >= 2
        && segments.iter().all(|segment| !matches!(*segment, "" | "." | ".."))
        && segments.first().is_some_and(|first| !first.contains(':'))
        && !text.contains(|c: char| matches!(c, '?' | '#') || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Identifier, String> {
        Identifier::read(&serde_json::from_str(json).unwrap()).map_err(|malformed| malformed.to_string())
    }

    #[test]
    fn identifier_of_every_format_has_the_texts_of_its_format() {
        for (json, texts) in [
            (r#"{"format":"account","uri":"acct:a@x.example"}"#, &[("uri", "acct:a@x.example")][..]),
            (r#"{"format":"email","email":"Ann@X.Example"}"#, &[("email", "Ann@x.example")]),
            (r#"{"format":"iss_sub","iss":"https://i/","sub":"u"}"#, &[("iss", "https://i/"), ("sub", "u")]),
            (r#"{"format":"opaque","id":"1"}"#, &[("id", "1")]),
            (r#"{"format":"phone_number","phone_number":"+4930"}"#, &[("phone_number", "+4930")]),
            (r#"{"format":"did","url":"did:example:1"}"#, &[("url", "did:example:1")]),
            (r#"{"format":"uri","uri":"urn:x:1"}"#, &[("uri", "urn:x:1")]),
            (r#"{"format":"uri","uri":"spiffe://acme.org/a"}"#, &[("uri", "spiffe://acme.org/a")]),
            (r#"{"format":"jwt_id","iss":"i","jti":"j"}"#, &[("iss", "i"), ("jti", "j")]),
            (
                r#"{"format":"saml_assertion_id","issuer":"i","assertion_id":"a"}"#,
                &[("issuer", "i"), ("assertion_id", "a")],
            ),
            (r#"{"format":"ip-addresses","ip-addresses":["10.0.0.1","::1"]}"#, &[]),
            (
                r#"{"format":"scim","uri":"/Users/7","externalId":"e","more":1}"#,
                &[("uri", "/Users/7"), ("externalId", "e"), ("segment", "7")],
            ),
        ] {
            let identifier = read(json).unwrap_or_else(|why| panic!("{json}: {why}"));
            let simple = identifier.simple().unwrap();
            for (name, text) in texts {
                assert_eq!(simple.text(name), Some(*text), "{json}");
            }
        }
    }

    #[test]
    fn parts_are_known_by_member_and_aliases_are_kept_together() {
        let identifier = read(
            r#"{"format":"complex","session":{"format":"opaque","id":"s"},"user":{"format":"aliases",
                "identifiers":[{"format":"opaque","id":"u"},{"format":"email","email":"u@x"}]}}"#,
        );
        let parts: Vec<_> = identifier
            .unwrap()
            .parts()
            .iter()
            .map(|part| (part.member.clone().unwrap(), part.identifiers.len()))
            .collect();
        assert_eq!(parts, [("session".into(), 1), ("user".into(), 2)]);
    }

    #[test]
    fn malformed_identifier_is_refused_with_the_member_at_fault() {
        let many = |item: &str| vec![item; SUBJECT_PARTS + 1].join(",");
        let long = "a".repeat(SUBJECT_TEXT_BYTES + 1);
        let table = [
            (r#""u-17""#.to_owned(), "`sub_id` is not an object"),
            ("{}".to_owned(), "`format` is missing"),
            (r#"{"format":7}"#.to_owned(), "`format` is not a text"),
            (r#"{"format":"phone","phone":"+1"}"#.to_owned(), "`format` is not one that is known"),
            (r#"{"format":"Opaque","id":"1"}"#.to_owned(), "`format` is not one that is known"),
            (r#"{"format":"opaque"}"#.to_owned(), "`id` is missing"),
            (r#"{"format":"opaque","id":""}"#.to_owned(), "`id` is empty"),
            (r#"{"format":"opaque","id":1}"#.to_owned(), "`id` is not a text"),
            (r#"{"format":"opaque","id":"a\nb"}"#.to_owned(), "`id` has control characters"),
            (format!(r#"{{"format":"opaque","id":"{long}"}}"#), "`id` is too long"),
            (
                r#"{"format":"opaque","id":"1","sub":"2"}"#.to_owned(),
                "`sub_id` has a member that its format does not have",
            ),
            (r#"{"format":"iss_sub","sub":"1"}"#.to_owned(), "`iss` is missing"),
            (r#"{"format":"email","email":"ann"}"#.to_owned(), "`email` is no email address"),
            (r#"{"format":"email","email":"@x"}"#.to_owned(), "`email` is no email address"),
            (
                r#"{"format":"phone_number","phone_number":"030 1"}"#.to_owned(),
                "`phone_number` is not of the form that its format asks for",
            ),
            (
                r#"{"format":"account","uri":"a@x"}"#.to_owned(),
                "`uri` is not of the form that its format asks for",
            ),
            (
                r#"{"format":"did","url":"https://x"}"#.to_owned(),
                "`url` is not of the form that its format asks for",
            ),
            (
                r#"{"format":"uri","uri":"/a"}"#.to_owned(),
                "`uri` is not of the form that its format asks for",
            ),
            (
                r#"{"format":"uri","uri":"spiffe://acme.org/../a"}"#.to_owned(),
                "`uri` is not of the form that its format asks for",
            ),
            (
                r#"{"format":"scim","uri":"https://x/Users/1"}"#.to_owned(),
                "`uri` is not of the form that its format asks for",
            ),
            (
                r#"{"format":"scim","uri":"/Users/"}"#.to_owned(),
                "`uri` is not of the form that its format asks for",
            ),
            (r#"{"format":"scim","uri":"/Users/1","externalId":7}"#.to_owned(), "`externalId` is not a text"),
            (r#"{"format":"ip-addresses","ip-addresses":[]}"#.to_owned(), "`ip-addresses` is empty"),
            (
                r#"{"format":"ip-addresses","ip-addresses":["x"]}"#.to_owned(),
                "`ip-addresses` has an element that is no address",
            ),
            (r#"{"format":"aliases","identifiers":[]}"#.to_owned(), "`identifiers` is empty"),
            (
                r#"{"format":"aliases","identifiers":[{"format":"aliases","identifiers":[]}]}"#.to_owned(),
                "`format` is not one that is known",
            ),
            (
                format!(
                    r#"{{"format":"aliases","identifiers":[{}]}}"#,
                    many(r#"{"format":"opaque","id":"1"}"#)
                ),
                "`identifiers` has too many elements",
            ),
            (r#"{"format":"complex"}"#.to_owned(), "`complex` has no members"),
            (r#"{"format":"complex","user":"u"}"#.to_owned(), "`sub_id` is not an object"),
            (
                r#"{"format":"complex","user":{"format":"complex","user":{"format":"opaque","id":"1"}}}"#
                    .to_owned(),
                "`complex` is nested",
            ),
        ];
        for (json, why) in table {
            assert_eq!(read(&json).unwrap_err(), why, "{json}");
        }
    }
}
