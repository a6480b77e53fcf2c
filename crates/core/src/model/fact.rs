//! What is held true because somebody has said so: facts, and what they are about.

use std::borrow::Cow;
use std::sync::Arc;

use super::Timestamp;
use crate::value::Value;

/// What a fact can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKind {
    /// Whoever a request is about, or acts for them.
    Principal,
    /// A session of a principal.
    Session,
    /// A token, by its issuer and its `jti`.
    Token,
    /// A device.
    Device,
    /// A resource, by its kind and id.
    Resource,
    /// A group of principals.
    Group,
    /// An application: the client that acts.
    Application,
    /// A tenant.
    Tenant,
}

impl EntityKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Principal,
        Self::Session,
        Self::Token,
        Self::Device,
        Self::Resource,
        Self::Group,
        Self::Application,
        Self::Tenant,
    ];

    /// The name in configuration, in records and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Session => "session",
            Self::Token => "token",
            Self::Device => "device",
            Self::Resource => "resource",
            Self::Group => "group",
            Self::Application => "application",
            Self::Tenant => "tenant",
        }
    }
}

/// Something that facts are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entity<'a> {
    /// What it is.
    pub kind: EntityKind,
    /// The kind of a resource, the issuer of a token; empty for everything else.
    pub of: Cow<'a, str>,
    /// Its name.
    pub id: Cow<'a, str>,
}

impl<'a> Entity<'a> {
    /// What is known by its name alone.
    #[must_use]
    pub fn new(kind: EntityKind, id: impl Into<Cow<'a, str>>) -> Self {
        Self { kind, of: Cow::Borrowed(""), id: id.into() }
    }

    /// A resource, or a token.
    #[must_use]
    pub fn within(kind: EntityKind, of: impl Into<Cow<'a, str>>, id: impl Into<Cow<'a, str>>) -> Self {
        Self { kind, of: of.into(), id: id.into() }
    }

    /// The same, owning its texts.
    #[must_use]
    pub fn into_owned(self) -> Entity<'static> {
        let Self { kind, of, id } = self;
        Entity { kind, of: Cow::Owned(of.into_owned()), id: Cow::Owned(id.into_owned()) }
    }
}

/// What a fact is about: everything in it together, for example one session of one principal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(Box<[Entity<'static>]>);

impl Subject {
    /// The subject that `entities` describe together; `None` if there is none of them, or two of one kind.
    #[must_use]
    pub fn new(mut entities: Vec<Entity<'static>>) -> Option<Self> {
        entities.sort_unstable();
        entities.dedup();
        let is_unclear =
            entities.iter().zip(entities.iter().skip(1)).any(|(one, next)| one.kind == next.kind);
        (!entities.is_empty() && !is_unclear).then(|| Self(entities.into()))
    }

    /// The same with other ids, as `id` says.
    #[must_use]
    pub fn renamed(&self, mut id: impl FnMut(&Entity<'static>) -> Cow<'static, str>) -> Self {
        Self(self.0.iter().map(|entity| Entity { id: id(entity), ..entity.clone() }).collect())
    }

    /// What it consists of, sorted by kind.
    #[must_use]
    pub fn entities(&self) -> &[Entity<'static>] {
        &self.0
    }

    /// The one of this kind.
    #[must_use]
    pub fn get(&self, kind: EntityKind) -> Option<&Entity<'static>> {
        self.0.iter().find(|entity| entity.kind == kind)
    }

    /// Whether whoever presents `presented`, which is sorted, is meant: all that it consists of is among them.
    #[must_use]
    pub fn is_presented(&self, presented: &[Entity<'_>]) -> bool {
        self.0.iter().all(|entity| presented.binary_search(entity).is_ok())
    }
}

/// Something that is held true of a subject because a source has said so.
///
/// A source has one fact for each subject and slot: what it says takes the place of what it said before.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// What it is about.
    pub subject: Subject,
    /// What is said, for example `risk-level-change`: `type` in conditions.
    pub name: Arc<str>,
    /// What it takes the place of; of its `name` unless several names are about the same, or one about several things.
    pub slot: Arc<str>,
    /// Its content: `data` in conditions. `None` if it was withdrawn: then it is only there to outweigh what comes late.
    pub value: Option<Value<'static>>,
    /// Who said so, by the name in the configuration.
    pub source: Arc<str>,
    /// The event that said so: the `jti` of a SET.
    pub id: Arc<str>,
    /// Since when it is true, as the source says.
    pub at: Timestamp,
    /// When it was received.
    pub received: Timestamp,
    /// Until when it is true, if it ends by itself.
    pub expires: Option<Timestamp>,
    /// Which of two that are of the same instant outweighs the other: the greater, so that what narrows wins.
    pub rank: u8,
}

impl Fact {
    /// Whether it is held true at `now`.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.value.is_some() && self.expires.is_none_or(|expires| now < expires)
    }
}

/// What is held true about a call, and what the call itself presents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signals<'a> {
    /// Whether more is held true than a call is decided by ([`SIGNALS`](crate::limits::SIGNALS)): then nothing of it is
    /// here, and everything is denied.
    pub too_many: bool,
    /// The facts in force about whoever acts, what they present, and the resources: newest first. One about a resource is
    /// only in force for the items with that resource, one about a tenant for the items in it.
    pub facts: Vec<Arc<Fact>>,
    /// What whoever acts presents.
    pub presented: Presented<'a>,
}

impl Signals<'_> {
    /// Whether nothing is held true about the call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && !self.too_many
    }
}

/// What whoever acts presents, as far as facts can be about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Presented<'a> {
    /// The session.
    pub session: Option<Cow<'a, str>>,
    /// The device.
    pub device: Option<Cow<'a, str>>,
    /// When the session began, if somebody vouches for that.
    pub began: Option<Timestamp>,
    /// How the principal showed who it is (`amr`, RFC 8176), if somebody vouches for that.
    pub methods: Option<Vec<Cow<'a, str>>>,
}

impl Presented<'_> {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
