//! The label values of metrics. Each label is a closed enum, so that nothing a stranger sends can become one.

/// Declares a label: an enum with its values on the wire and the list of all of them.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident => $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value.
            pub(super) const ALL: &[Self] = &[$(Self::$variant),+];

            /// The value in metrics and log lines.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

label! {
    /// The API through which a decision was asked for.
    Api {
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

label! {
    /// How a call ended.
    Outcome {
        /// Decided, recorded and answered.
        Answered => "answered",
        /// Refused because the request is not valid.
        Invalid => "invalid_request",
        /// Refused because there was no room for it beside the others.
        Overloaded => "overloaded",
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
    /// A part of the work of one call.
    Phase {
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
    ReloadOutcome {
        /// A new set is live.
        Activated => "activated",
        /// The files are those of the live set.
        Unchanged => "unchanged",
        /// The set has errors; the old one stays.
        Rejected => "rejected",
        /// Tests beside the set fail; the old one stays.
        TestsFailed => "tests_failed",
        /// The set could not be read or compiled at all; the old one stays.
        Failed => "failed",
    }
}

label! {
    /// How an attempt to load the keys of a key set ended.
    KeyRefresh {
        /// The keys are those at the source.
        Succeeded => "succeeded",
        /// The keys could not be loaded; the old ones stay.
        Failed => "failed",
    }
}

label! {
    /// A group of HTTP paths.
    Surface {
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
        /// Health, readiness and metrics.
        Health => "health",
        /// Any path that is none of ours.
        Unknown => "unknown",
    }
}

label! {
    /// Where a panic was caught.
    Where {
        /// While handling a request.
        Handler => "handler",
        /// While loading policies.
        Reload => "reload",
    }
}
