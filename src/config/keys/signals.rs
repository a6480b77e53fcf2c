//! The keys about signals.

use super::Key;

/// The keys below `signals`, in the order of the reference page.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "signals.maxFacts",
        default: "1000000",
        meaning: "Most facts that are held, 1 to 10 000 000. See [Signals](signals.md).",
    },
    Key {
        name: "signals.standing.sessions",
        default: "true",
        meaning: "Whether a request is denied whose session was revoked, whatever policies say.",
    },
    Key {
        name: "signals.standing.accounts",
        default: "true",
        meaning: "Whether a request is denied if an account of whoever acts was disabled or purged, whatever policies say.",
    },
    Key {
        name: "signals.standing.credentials",
        default: "true",
        meaning: "Whether a request is denied if a credential of whoever acts is compromised, whatever policies say.",
    },
    Key {
        name: "signals.presented.session",
        default: "[\"jwt:sid\", \"attr:sessionId\"]",
        meaning: "Where the session of a request is found; the first that is there counts. `jwt:NAME` is a verified \
                  claim of the one token, `jwts.TOKEN:NAME` of the token of that name, `attr:NAME` an attribute of the \
                  principal.",
    },
    Key {
        name: "signals.presented.device",
        default: "[\"jwt:device_id\", \"attr:deviceId\"]",
        meaning: "Where the device is found, likewise.",
    },
    Key {
        name: "signals.presented.groups",
        default: "[\"jwt:groups\", \"attr:groups\"]",
        meaning: "Where the groups of the principal are found, likewise: a text or a list of texts.",
    },
    Key {
        name: "signals.presented.application",
        default: "[\"jwt:client_id\", \"jwt:azp\"]",
        meaning: "Where the application is found that acts, likewise.",
    },
    Key {
        name: "signals.presented.began",
        default: "[\"jwt:auth_time\", \"jwt:iat\"]",
        meaning: "Where it is found when the session began, likewise, in verified claims only.",
    },
    Key {
        name: "signals.presented.methods",
        default: "[\"jwt:amr\"]",
        meaning: "Where it is found how the principal showed who it is, likewise, in verified claims only.",
    },
    Key {
        name: "signals.streams",
        default: "[]",
        meaning: "The transmitters of security events (Shared Signals Framework), a list; see [Signals](signals.md).",
    },
    Key {
        name: "signals.webhooks",
        default: "[]",
        meaning: "What else may state facts with JSON of its own, a list; see [Signals](signals.md).",
    },
];
