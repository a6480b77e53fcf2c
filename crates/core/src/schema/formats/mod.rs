//! `format`: what a text must look like. Formats that are not listed here ask for nothing, as with the peer.

mod network;
mod pointers;
mod times;
mod uris;

/// A format that is checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    pub(super) name: &'static str,
    pub(super) fits: Fits,
}

/// How a text is checked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fits {
    /// By looking at it once.
    Text(fn(&str) -> bool),
    /// By compiling it as a regular expression.
    Regex,
}

impl Format {
    /// The format of that name, if it is checked.
    pub(super) fn named(name: &str) -> Option<Self> {
        FORMATS.iter().find(|format| format.name == name).copied()
    }
}

const FORMATS: &[Format] = &[
    text("date", times::is_date),
    text("date-time", times::is_date_time),
    text("duration", times::is_duration),
    text("email", network::is_email),
    text("hostname", network::is_hostname),
    text("ip-address", network::is_ipv4),
    text("ipv4", network::is_ipv4),
    text("ipv6", network::is_ipv6),
    text("iri", uris::is_uri),
    text("iri-reference", uris::is_reference),
    text("json-pointer", pointers::is_json_pointer),
    text("period", times::is_period),
    Format { name: "regex", fits: Fits::Regex },
    text("relative-json-pointer", pointers::is_relative_json_pointer),
    text("time", times::is_time),
    text("uri", uris::is_uri),
    text("uri-reference", uris::is_reference),
    text("uri-template", uris::is_template),
    text("uriref", uris::is_reference),
    text("uuid", pointers::is_uuid),
];

const fn text(name: &'static str, fits: fn(&str) -> bool) -> Format {
    Format { name, fits: Fits::Text(fits) }
}
