//! Every type of event that is known: CAEP 1.0, RISC 1.0, SCIM (RFC 9967), and those of the stream itself.

use super::scim::{self, Payload};

/// A type of event, and the facts that it states.
#[derive(Clone, Copy, Debug)]
pub struct EventType {
    /// Its URI.
    pub uri: &'static str,
    /// The standard that defines it.
    pub family: Family,
    /// The names of the facts that it may state.
    pub facts: &'static [&'static str],
    /// The slot of the fact; `<member>` stands for that member of the event. Empty if it states none.
    pub slot: &'static str,
    /// What it does by itself, without any policy: a half sentence, empty if nothing.
    pub effect: &'static str,
    pub(super) reads: Reads,
}

/// Who defines a type of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Shared Signals Framework 1.0: about the stream.
    Stream,
    /// OpenID Continuous Access Evaluation Profile 1.0.
    Caep,
    /// OpenID RISC Profile 1.0.
    Risc,
    /// RFC 9967.
    Scim,
}

/// How the content of an event is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reads {
    /// A verification of the stream.
    Verification,
    /// A change of the stream.
    StreamUpdated,
    /// Members of given types, one fact of all of them.
    Members { members: &'static [Member], about: About, rank: Rank },
    /// A change of a SCIM resource.
    Scim { change: scim::Change, payload: Payload },
}

/// A member of an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) is_required: bool,
    pub(super) content: Content,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    Text,
    Word(&'static [&'static str]),
    Texts,
    /// Several values by name, each of which is a fact of its own.
    Claims,
}

/// What the subject of an event is, if it is a simple one.
#[derive(Clone, Copy, Debug)]
pub(super) enum About {
    Principal,
    Device,
    /// As its member `principal` says.
    Said,
}

/// What narrows has the greater rank, and wins a tie.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rank {
    Fixed(u8),
    /// That of the word under a member; 0 of any other.
    Of(&'static str, &'static [(&'static str, u8)]),
}

/// Ranks in the slot `account`.
pub(super) const ENABLED: u8 = 0;
/// See [`ENABLED`].
pub(super) const DISABLED: u8 = 1;
/// See [`ENABLED`].
pub(super) const PURGED: u8 = 2;

const SESSIONS_END: &str = "denies requests in sessions that are meant or began before";
const ACCOUNT_ENDS: &str = "denies requests of the account until it is enabled";
const ACCOUNT_BEGINS: &str = "ends what disabling or purging the account does";
const ACCOUNT_IF_ACTIVE_IS_SAID: &str = "as `account-disabled` or `account-enabled` if it sets `active`";

const LEVELS: &[&str] = &["LOW", "MEDIUM", "HIGH"];
const COMPLIANCE: &[&str] = &["compliant", "not-compliant"];

const fn text(name: &'static str) -> Member {
    Member { name, is_required: false, content: Content::Text }
}

const fn word(name: &'static str, words: &'static [&'static str]) -> Member {
    Member { name, is_required: false, content: Content::Word(words) }
}

const fn required(member: Member) -> Member {
    Member { is_required: true, ..member }
}

const fn plain(family: Family, uri: &'static str, facts: &'static [&'static str]) -> EventType {
    let slot = match facts {
        [name] => name,
        _ => "",
    };
    let reads = Reads::Members { members: &[], about: About::Principal, rank: Rank::Fixed(0) };
    EventType { uri, family, facts, slot, effect: "", reads }
}

const fn caep(uri: &'static str, facts: &'static [&'static str]) -> EventType {
    plain(Family::Caep, uri, facts)
}

const fn risc(uri: &'static str, facts: &'static [&'static str]) -> EventType {
    plain(Family::Risc, uri, facts)
}

const fn stream(uri: &'static str, reads: Reads) -> EventType {
    EventType { reads, ..plain(Family::Stream, uri, &[]) }
}

const fn scim(uri: &'static str, change: scim::Change, payload: Payload) -> EventType {
    let (facts, slot, effect): (&'static [&'static str], _, _) = match (change, payload) {
        (scim::Change::Async, _) => (&[], "", ""),
        (_, Payload::Notice) => (&["scim-attributes-stale"], "scim-attributes", ""),
        (scim::Change::Patch, _) => (
            &["scim-attributes", "account-disabled", "account-enabled"],
            "scim-attributes/patch",
            ACCOUNT_IF_ACTIVE_IS_SAID,
        ),
        (scim::Change::Create | scim::Change::Put, _) => (
            &["scim-attributes", "account-disabled", "account-enabled"],
            "scim-attributes",
            ACCOUNT_IF_ACTIVE_IS_SAID,
        ),
        (scim::Change::Delete, _) => (&["account-purged"], "account", ACCOUNT_ENDS),
        (scim::Change::Deactivate, _) => (&["account-disabled"], "account", ACCOUNT_ENDS),
        (scim::Change::Activate, _) => (&["account-enabled"], "account", ACCOUNT_BEGINS),
        (scim::Change::FeedAdd, _) => (&["scim-feed-add"], "scim-feed", ""),
        (scim::Change::FeedRemove, _) => (&["scim-feed-remove"], "scim-feed", ""),
    };
    EventType { uri, family: Family::Scim, facts, slot, effect, reads: Reads::Scim { change, payload } }
}

impl EventType {
    /// The type of this URI. With `scim_drafts` those of the drafts before RFC 9967 count too, which write `SCIM`.
    #[must_use]
    pub fn of(uri: &str, scim_drafts: bool) -> Option<&'static Self> {
        const DRAFT: &str = "urn:ietf:params:SCIM:event:";
        let known = |uri: &str| EVENT_TYPES.iter().find(|known| known.uri == uri);
        match uri.strip_prefix(DRAFT) {
            Some(rest) if scim_drafts => known(&format!("{}{rest}", scim::PREFIX)),
            _ => known(uri),
        }
    }

    const fn in_slot(self, slot: &'static str) -> Self {
        Self { slot, ..self }
    }

    const fn does(self, effect: &'static str) -> Self {
        Self { effect, ..self }
    }

    const fn ranks(self, new: Rank) -> Self {
        match self.reads {
            Reads::Members { members, about, .. } => {
                Self { reads: Reads::Members { members, about, rank: new }, ..self }
            }
            _ => self,
        }
    }

    const fn with(self, new: &'static [Member]) -> Self {
        match self.reads {
            Reads::Members { about, rank, .. } => {
                Self { reads: Reads::Members { members: new, about, rank }, ..self }
            }
            _ => self,
        }
    }

    const fn about(self, new: About) -> Self {
        match self.reads {
            Reads::Members { members, rank, .. } => {
                Self { reads: Reads::Members { members, about: new, rank }, ..self }
            }
            _ => self,
        }
    }
}

/// Every type that is known.
pub static EVENT_TYPES: &[EventType] = &[
    stream("https://schemas.openid.net/secevent/ssf/event-type/verification", Reads::Verification),
    stream("https://schemas.openid.net/secevent/ssf/event-type/stream-updated", Reads::StreamUpdated),
    caep("https://schemas.openid.net/secevent/caep/event-type/session-revoked", &["session-revoked"])
        .does(SESSIONS_END),
    caep("https://schemas.openid.net/secevent/caep/event-type/token-claims-change", &["token-claims-change"])
        .in_slot("claim/<claims>")
        .with(&[Member { name: "claims", is_required: true, content: Content::Claims }]),
    caep("https://schemas.openid.net/secevent/caep/event-type/credential-change", &["credential-change"])
        .in_slot("credential/<credential_type>")
        .with(&[
            required(text("credential_type")),
            required(word("change_type", &["create", "revoke", "update", "delete"])),
            text("friendly_name"),
            text("x509_issuer"),
            text("x509_serial"),
            text("fido2_aaguid"),
        ])
        .ranks(Rank::Of("change_type", &[("revoke", 1)]))
        .does("of `change_type` `revoke`: denies requests for which the credential may have been used; else ends that"),
    caep("https://schemas.openid.net/secevent/caep/event-type/assurance-level-change", &["assurance-level-change"])
        .in_slot("assurance/<namespace>")
        .with(&[
            required(text("namespace")),
            required(text("current_level")),
            text("previous_level"),
            word("change_direction", &["increase", "decrease"]),
        ])
        .ranks(Rank::Of("change_direction", &[("decrease", 1)])),
    caep("https://schemas.openid.net/secevent/caep/event-type/device-compliance-change", &["device-compliance-change"])
        .with(&[required(word("current_status", COMPLIANCE)), word("previous_status", COMPLIANCE)])
        .ranks(Rank::Of("current_status", &[("not-compliant", 1)]))
        .about(About::Device),
    caep("https://schemas.openid.net/secevent/caep/event-type/session-established", &["session-established"])
        .with(&[
            text("fp_ua"),
            text("acr"),
            Member { name: "amr", is_required: false, content: Content::Texts },
            text("ext_id"),
        ])
        .does("shows when a session began"),
    caep("https://schemas.openid.net/secevent/caep/event-type/session-presented", &["session-presented"])
        .with(&[text("fp_ua"), text("ext_id")]),
    caep("https://schemas.openid.net/secevent/caep/event-type/risk-level-change", &["risk-level-change"])
        .in_slot("risk/<principal>")
        .with(&[
            required(text("principal")),
            required(word("current_level", LEVELS)),
            word("previous_level", LEVELS),
            text("risk_reason"),
        ])
        .ranks(Rank::Of("current_level", &[("MEDIUM", 1), ("HIGH", 2)]))
        .about(About::Said),
    risc(
        "https://schemas.openid.net/secevent/risc/event-type/account-credential-change-required",
        &["account-credential-change-required"],
    ),
    risc("https://schemas.openid.net/secevent/risc/event-type/account-purged", &["account-purged"])
        .in_slot("account")
        .ranks(Rank::Fixed(PURGED))
        .does(ACCOUNT_ENDS),
    risc("https://schemas.openid.net/secevent/risc/event-type/account-disabled", &["account-disabled"])
        .in_slot("account")
        .with(&[text("reason")])
        .ranks(Rank::Fixed(DISABLED))
        .does(ACCOUNT_ENDS),
    risc("https://schemas.openid.net/secevent/risc/event-type/account-enabled", &["account-enabled"])
        .in_slot("account")
        .ranks(Rank::Fixed(ENABLED))
        .does(ACCOUNT_BEGINS),
    risc("https://schemas.openid.net/secevent/risc/event-type/identifier-changed", &["identifier-changed"])
        .with(&[text("new-value")]),
    risc("https://schemas.openid.net/secevent/risc/event-type/identifier-recycled", &["identifier-recycled"]),
    risc("https://schemas.openid.net/secevent/risc/event-type/credential-compromise", &["credential-compromise"])
        .in_slot("credential/<credential_type>")
        .with(&[required(text("credential_type"))])
        .ranks(Rank::Fixed(2))
        .does("denies requests for which the credential may have been used, until it is changed"),
    risc("https://schemas.openid.net/secevent/risc/event-type/opt-in", &["opt-in"]),
    risc("https://schemas.openid.net/secevent/risc/event-type/opt-out-initiated", &["opt-out-initiated"]),
    risc("https://schemas.openid.net/secevent/risc/event-type/opt-out-cancelled", &["opt-out-cancelled"]),
    risc("https://schemas.openid.net/secevent/risc/event-type/opt-out-effective", &["opt-out-effective"]),
    risc("https://schemas.openid.net/secevent/risc/event-type/recovery-activated", &["recovery-activated"]),
    risc(
        "https://schemas.openid.net/secevent/risc/event-type/recovery-information-changed",
        &["recovery-information-changed"],
    ),
    risc("https://schemas.openid.net/secevent/risc/event-type/sessions-revoked", &["sessions-revoked"])
        .does(SESSIONS_END),
    scim("urn:ietf:params:scim:event:feed:add", scim::Change::FeedAdd, Payload::None),
    scim("urn:ietf:params:scim:event:feed:remove", scim::Change::FeedRemove, Payload::None),
    scim("urn:ietf:params:scim:event:prov:create:notice", scim::Change::Create, Payload::Notice),
    scim("urn:ietf:params:scim:event:prov:create:full", scim::Change::Create, Payload::Full),
    scim("urn:ietf:params:scim:event:prov:put:notice", scim::Change::Put, Payload::Notice),
    scim("urn:ietf:params:scim:event:prov:put:full", scim::Change::Put, Payload::Full),
    scim("urn:ietf:params:scim:event:prov:patch:notice", scim::Change::Patch, Payload::Notice),
    scim("urn:ietf:params:scim:event:prov:patch:full", scim::Change::Patch, Payload::Full),
    scim("urn:ietf:params:scim:event:prov:delete", scim::Change::Delete, Payload::None),
    scim("urn:ietf:params:scim:event:prov:activate", scim::Change::Activate, Payload::None),
    scim("urn:ietf:params:scim:event:prov:deactivate", scim::Change::Deactivate, Payload::None),
    scim("urn:ietf:params:scim:event:misc:asyncresp", scim::Change::Async, Payload::None),
];
