//! The label values of metrics. Each label is a closed enum, so that nothing a stranger sends can become one.

/// What tells the metrics of one name apart: the value of a label, or of two.
pub(super) trait Label: Copy {
    /// Every value, each at its `index`.
    fn all() -> impl Iterator<Item = Self>;

    /// The position of this value.
    fn index(self) -> usize;

    /// The value of each label.
    fn texts(self) -> Vec<&'static str>;
}

impl<K: Label, L: Label> Label for (K, L) {
    fn all() -> impl Iterator<Item = Self> {
        K::all().flat_map(|first| L::all().map(move |second| (first, second)))
    }

    fn index(self) -> usize {
        self.0.index() * L::all().count() + self.1.index()
    }

    fn texts(self) -> Vec<&'static str> {
        [self.0.texts(), self.1.texts()].concat()
    }
}

/// Declares a label: an enum with its values on the wire and the list of all of them.
macro_rules! label {
    ($(#[$doc:meta])* $vis:vis $name:ident { $($(#[$variant_doc:meta])* $variant:ident => $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl Label for $name {
            fn all() -> impl Iterator<Item = Self> {
                [$(Self::$variant),+].into_iter()
            }

            fn index(self) -> usize {
                self as usize
            }

            fn texts(self) -> Vec<&'static str> {
                vec![self.as_str()]
            }
        }

        impl $name {
            /// The value in metrics and log lines.
            #[must_use]
            $vis const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

label! {
    /// The API through which a decision was asked for.
    pub Api {
        /// `POST /api/check/resources`.
        CheckResources => "check_resources",
        /// `POST /api/check`, deprecated by the peer.
        CheckResourceSet => "check_resource_set",
        /// `POST /api/check_resource_batch`, deprecated by the peer.
        CheckResourceBatch => "check_resource_batch",
        /// AuthZEN `POST /access/v1/evaluation`.
        Evaluation => "access_evaluation",
    }
}

impl Api {
    /// Every API.
    pub fn every() -> impl Iterator<Item = Self> {
        Self::all()
    }
}

label! {
    /// How a call ended.
    pub Outcome {
        /// Decided, recorded and answered.
        Answered => "answered",
        /// Refused because the request is not valid.
        Invalid => "invalid_request",
        /// Refused because nobody vouches for the caller.
        Unauthenticated => "unauthenticated",
        /// Refused because the caller has no right to it.
        Forbidden => "permission_denied",
        /// Refused because there was no room for it beside the others.
        Overloaded => "overloaded",
        /// Refused because its caller asks for more than it may.
        Limited => "limited",
        /// Refused because no policy set is live.
        NoPolicySet => "no_policy_set",
        /// Refused because its record could not be written.
        LogUnavailable => "decision_log_unavailable",
        /// Refused because the keys for a token could not be fetched.
        KeysUnavailable => "keys_unavailable",
        /// Refused because there can be no record of it.
        Unrecordable => "decision_unrecordable",
        /// Refused because of an error of ours.
        Internal => "internal_error",
    }
}

label! {
    /// Why a caller is refused.
    pub Refused {
        /// It shows no credential.
        NoCredential => "no_credential",
        /// What it shows is none of the credentials that there are, or several.
        Garbled => "garbled",
        /// Its API key is none of ours.
        UnknownKey => "unknown_key",
        /// Its API key was revoked.
        RevokedKey => "revoked_key",
        /// Its API key has ended.
        ExpiredKey => "expired_key",
        /// Its certificate is not good any more.
        BadCertificate => "bad_certificate",
        /// Its token is not believed.
        BadToken => "bad_token",
        /// Its token cannot be judged: the keys of the issuer could not be fetched.
        KeysUnavailable => "keys_unavailable",
        /// What its credential rests on is under quarantine.
        Quarantined => "quarantined",
        /// It is known, and has no right to what it asks for.
        NoRight => "no_right",
    }
}

label! {
    /// A part of the work of one call.
    pub Phase {
        /// From bytes to a valid request.
        Parse => "parse",
        /// Evaluation of the policies.
        Decide => "decide",
        /// Until the record is as durable as configured.
        Record => "record",
    }
}

label! {
    /// How an attempt to load policies ended.
    pub ReloadOutcome {
        /// A new set is live.
        Activated => "activated",
        /// The files are those of the live set.
        Unchanged => "unchanged",
        /// The set has errors; the old one stays.
        Rejected => "rejected",
        /// Tests beside the set fail; the old one stays.
        TestsFailed => "tests_failed",
        /// The set would change more recorded decisions than it may; the old one stays.
        WouldChange => "would_change",
        /// The set could not be read or compiled at all; the old one stays.
        Failed => "failed",
    }
}

label! {
    /// What a candidate set made of a recorded call.
    pub ShadowCall {
        /// The same answer.
        Same => "same",
        /// Another answer.
        Different => "different",
        /// Nothing: something in the record is masked.
        Partial => "partial",
        /// Nothing: it was too far behind.
        Skipped => "skipped",
        /// Another answer, of which there is no record.
        Unrecorded => "unrecorded",
    }
}

label! {
    /// How an attempt to load the keys of a key set ended.
    pub KeyRefresh {
        /// The keys are those at the source.
        Succeeded => "succeeded",
        /// The keys could not be loaded; the old ones stay.
        Failed => "failed",
    }
}

label! {
    /// How an attempt to load certificates ended.
    pub TlsReload {
        /// They are those in the files.
        Succeeded => "succeeded",
        /// They could not be used; the old ones stay.
        Failed => "failed",
    }
}

label! {
    /// How a handshake ended.
    pub HandshakeOutcome {
        /// With an encrypted connection.
        Completed => "completed",
        /// The other end speaks no TLS, shows no certificate where it must, or one that is not trusted.
        Failed => "failed",
        /// The other end took too long.
        TimedOut => "timed_out",
    }
}

label! {
    /// Who keeps checkpoints of the decision log.
    pub WitnessKind {
        /// `audit.witness.file`.
        File => "file",
        /// `audit.witness.url`.
        Url => "url",
    }
}

label! {
    /// A group of HTTP paths.
    pub Surface {
        /// The check API.
        Cerbos => "cerbos",
        /// AuthZEN.
        Authzen => "authzen",
        /// The decision log.
        Decisions => "decisions",
        /// Explanations.
        Explain => "explain",
        /// Administration.
        Admin => "admin",
        /// Signals, facts and changes.
        Signals => "signals",
        /// Health, readiness and metrics.
        Health => "health",
        /// Any path that is none of ours.
        Unknown => "unknown",
    }
}

label! {
    /// A part of the way of a signal.
    pub SignalPhase {
        /// Its signature and its rules, and waiting for both.
        Verify => "verify",
        /// Its record in the decision log.
        Record => "record",
        /// The facts on disk and in sight.
        Journal => "journal",
    }
}

label! {
    /// The class of an HTTP status.
    pub(super) StatusClass {
        /// Not final.
        Informational => "1xx",
        /// What was asked for.
        Success => "2xx",
        /// It is elsewhere.
        Redirection => "3xx",
        /// Refused for what the caller did.
        CallerError => "4xx",
        /// Refused for what it met here.
        ServerError => "5xx",
    }
}

impl StatusClass {
    /// The class of `status`.
    pub(super) const fn of(status: u16) -> Self {
        match status {
            0..200 => Self::Informational,
            200..300 => Self::Success,
            300..400 => Self::Redirection,
            400..500 => Self::CallerError,
            500.. => Self::ServerError,
        }
    }
}

label! {
    /// Why somebody was turned away so that others are served.
    pub Shed {
        /// A caller asks more often than it may.
        Rate => "rate",
        /// A caller has as many calls on their way as it may.
        Concurrency => "concurrency",
        /// There is no room beside the calls of others.
        Full => "full",
        /// An address has as many connections as it may.
        Connections => "connections",
    }
}

label! {
    /// The effect of a decision.
    pub(super) EffectLabel {
        /// The action is allowed.
        Allow => "allow",
        /// The action is denied.
        Deny => "deny",
    }
}

label! {
    /// Where a panic was caught.
    pub Where {
        /// While handling a request.
        Handler => "handler",
        /// While loading policies.
        Reload => "reload",
        /// While a candidate set decides beside the live one.
        Shadow => "shadow",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_at_its_index() {
        for (index, label) in <(Api, Outcome)>::all().enumerate() {
            assert_eq!(label.index(), index, "{:?}", label.texts());
        }
    }

    #[test]
    fn status_has_its_class() {
        for (status, class) in
            [(100, "1xx"), (204, "2xx"), (302, "3xx"), (413, "4xx"), (503, "5xx"), (999, "5xx")]
        {
            assert_eq!(StatusClass::of(status).as_str(), class);
        }
    }
}
