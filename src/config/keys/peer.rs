//! The keys of the peer that have no meaning here, and what becomes of each.

/// A key of the peer that is accepted, with everything below it, but has no effect.
#[derive(Debug)]
pub(in crate::config) struct Inert {
    /// Dotted name; keys below it are meant as well.
    pub(in crate::config) prefix: &'static str,
    /// Why it has no effect and what that means.
    pub(in crate::config) why: &'static str,
}

const NO_MEANING: &str = "has no meaning here";

/// Keys of the peer that are accepted with a notice.
pub(in crate::config) const INERT: &[Inert] = &[
    Inert {
        prefix: "auxData.jwt.cacheSize",
        why: "has no meaning here: as many verified tokens are remembered as is good",
    },
    Inert { prefix: "schema.cacheSize", why: NO_MEANING },
    Inert {
        prefix: "server.adminAPI.adminCredentials",
        why: "has no meaning here: the roles of callers say who may use the admin API",
    },
    Inert {
        prefix: "audit.backend",
        why: "has no meaning here: decisions are recorded below `server.dataDir`",
    },
    Inert { prefix: "audit.local", why: NO_MEANING },
    Inert {
        prefix: "audit.file",
        why: "has no meaning here: `audit.ship` with a destination `file` writes records to a file",
    },
    Inert {
        prefix: "audit.kafka",
        why: "is not evaluated yet: `audit.ship` sends records to files, HTTP servers and OTLP collectors, which can \
              pass them on",
    },
    Inert {
        prefix: "audit.hub",
        why: "has no meaning here: nothing is sent to a hub, and `audit.mask` says what records must not hold",
    },
    Inert { prefix: "audit.accessLogsEnabled", why: "has no meaning here: there are no access logs" },
    Inert {
        prefix: "audit.decisionLogsEnabled",
        why: "has no meaning here: decisions are recorded unless `audit.enabled` is `false`",
    },
    Inert {
        prefix: "audit.includeMetadataKeys",
        why: "has no meaning here: no headers of requests are recorded",
    },
    Inert {
        prefix: "audit.excludeMetadataKeys",
        why: "has no meaning here: no headers of requests are recorded",
    },
    Inert { prefix: "audit.decisionLogFilters", why: "has no meaning here: every decision is recorded" },
    Inert { prefix: "compile", why: NO_MEANING },
    Inert { prefix: "engine.celErrorLogLevel", why: NO_MEANING },
    Inert { prefix: "engine.policyLoaderTimeout", why: NO_MEANING },
    Inert { prefix: "hub", why: NO_MEANING },
    Inert { prefix: "server.advanced", why: NO_MEANING },
    Inert { prefix: "server.apiExplorerEnabled", why: NO_MEANING },
    Inert { prefix: "server.cors", why: "is not evaluated yet: no cross-origin request is allowed" },
    Inert { prefix: "server.grpcListenAddr", why: "has no meaning here: only HTTP is served" },
    Inert { prefix: "server.logRequestPayloads", why: NO_MEANING },
    Inert { prefix: "server.metricsEnabled", why: "has no meaning here: metrics are always served" },
    Inert { prefix: "server.playgroundEnabled", why: NO_MEANING },
    Inert { prefix: "server.udsFileMode", why: NO_MEANING },
    Inert { prefix: "telemetry", why: "has no meaning here: nothing is sent to anyone" },
];
