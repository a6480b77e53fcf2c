//! What is configured of a source.

use std::time::Duration;

use procura_core::signal::{Entitlement, SubjectRules, Ttl};

/// Who may say something, and what.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceSettings {
    /// Its name, unique.
    pub name: String,
    /// What it is.
    pub kind: SourceKind,
    /// What it may state.
    pub entitlement: Entitlement,
    /// Signals that it may send in a second.
    pub max_rate: u32,
    /// How long it may be silent.
    pub max_silence: Option<Duration>,
}

/// What a source is.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceKind {
    /// A stream of SETs.
    Stream(StreamRules),
    /// Something that sends JSON of its own.
    Webhook,
    /// The API for facts.
    Operator,
}

/// What SETs of a stream must say, and what is made of them.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamRules {
    /// Their `iss`.
    pub issuer: String,
    /// One of these is in their `aud`.
    pub audiences: Vec<String>,
    /// What their subjects stand for.
    pub subjects: SubjectRules,
    /// Whether the types of SCIM events of earlier drafts count.
    pub scim_drafts: bool,
    /// How long what they state is true.
    pub ttl: Vec<Ttl>,
}

impl SourceKind {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Stream(_) => "stream",
            Self::Webhook => "webhook",
            Self::Operator => "operator",
        }
    }
}
