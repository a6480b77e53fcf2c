//! Every configuration key: ours with its default and meaning, and the peer's with what becomes of it.

/// A key that has a meaning here.
#[derive(Debug)]
pub struct Key {
    /// Dotted name, as in a configuration file.
    pub name: &'static str,
    /// The value when nothing sets it.
    pub default: &'static str,
    /// What it does, its unit and its range.
    pub meaning: &'static str,
}

/// Our keys, in the order of the reference page.
pub const KEYS: &[Key] = &[
    Key {
        name: "server.httpListenAddr",
        default: "127.0.0.1:3592",
        meaning: "Address and port of the HTTP server. `:3592` means all interfaces; port `0` lets the system choose.",
    },
    Key {
        name: "server.dataDir",
        default: ".procura",
        meaning: "Directory of everything the server must remember: decision log, archive of policy sets.",
    },
    Key {
        name: "server.publicUrl",
        default: "",
        meaning: "URL under which callers reach the server, `https://host[/path]`, for the metadata it publishes. If \
                  empty, each request's own.",
    },
    Key {
        name: "server.shutdownDeadline",
        default: "10s",
        meaning: "How long requests in flight may take to finish after SIGTERM.",
    },
    Key {
        name: "server.requestLimits.maxActionsPerResource",
        default: "50",
        meaning: "Most actions for one resource of a call, 1 to 500.",
    },
    Key {
        name: "server.requestLimits.maxResourcesPerRequest",
        default: "50",
        meaning: "Most resources in one call, 1 to 500.",
    },
    Key {
        name: "server.requestLimits.maxBodyBytes",
        default: "4194304",
        meaning: "Largest request body in bytes, 1 KiB to 64 MiB.",
    },
    Key {
        name: "server.adminAPI.enabled",
        default: "true",
        meaning: "Whether `/admin` answers. Only loopback may use it.",
    },
    Key { name: "storage.driver", default: "disk", meaning: "Where policies come from. Only `disk`." },
    Key {
        name: "storage.disk.directory",
        default: "policies",
        meaning: "Directory of the policies, read with everything below it.",
    },
    Key {
        name: "storage.disk.watchForChanges",
        default: "true",
        meaning: "Whether changed policies are found by themselves. If `false`, only SIGHUP and the admin API reload.",
    },
    Key {
        name: "storage.disk.pollInterval",
        default: "30s",
        meaning: "How often every policy file is read anew, whatever the file system reports. 100 ms to 1 h.",
    },
    Key {
        name: "storage.disk.quietPeriod",
        default: "25ms",
        meaning: "How long the directory must stay unchanged before a set goes live. At most 1 min.",
    },
    Key {
        name: "reload.requireTests",
        default: "false",
        meaning: "Whether the tests beside the policies must pass before a changed set goes live.",
    },
    Key {
        name: "engine.defaultPolicyVersion",
        default: "default",
        meaning: "Policy version for requests that name none.",
    },
    Key {
        name: "engine.defaultScope",
        default: "",
        meaning: "Scope for requests that name none, such as `acme.hr`. A request means the root by `.`.",
    },
    Key {
        name: "engine.lenientScopeSearch",
        default: "false",
        meaning: "Whether a request for a scope without a policy is decided by the nearest scope above that has one.",
    },
    Key {
        name: "engine.strictEvaluation",
        default: "false",
        meaning: "Whether an error in an expression that a decision rests on denies the action, whatever other rules \
                  say.",
    },
    Key {
        name: "engine.globals",
        default: "{}",
        meaning: "Values that conditions read as `globals.name` or `G.name`: a map of any JSON, at most 64 KiB, which \
                  is in every record. `--set engine.globals.name=value` sets one of them.",
    },
    Key {
        name: "engine.onError",
        default: "closed",
        meaning: "What an erroring condition does. `closed`: it never makes an action allowed. `cerbos`: it counts as \
                  false, also in deny rules.",
    },
    Key {
        name: "schema.enforcement",
        default: "none",
        meaning: "What attributes that do not fit the schemas of a policy do. `none`: they are not looked at. `warn`: the \
                  answer says so. `reject`: it says so, and every action is denied. See [Schemas](schemas.md).",
    },
    Key {
        name: "auxData.jwt.disableVerification",
        default: "false",
        meaning: "If `true`, claims are taken from tokens whose signature nobody checked: whoever can send a request can \
                  claim anything. For trials only.",
    },
    Key {
        name: "auxData.jwt.acceptableTimeSkew",
        default: "0s",
        meaning: "How far the clocks of token issuers may be off when `exp` and `nbf` are checked, at most 10 min.",
    },
    Key {
        name: "auxData.jwt.keySets",
        default: "[]",
        meaning: "Keys that verify tokens, a list; see [Tokens](aux-data.md).",
    },
    Key {
        name: "audit.enabled",
        default: "true",
        meaning: "Whether decisions are recorded. If `false`, nothing is remembered.",
    },
    Key {
        name: "audit.durability",
        default: "durable",
        meaning: "When a call is answered. `durable`: its record is on the disk. `os`: it is written. `async`: it is \
                  queued.",
    },
    Key {
        name: "audit.deadline",
        default: "1s",
        meaning: "How long a call waits for its record before it is refused. 1 ms to 1 min.",
    },
    Key {
        name: "audit.queueLength",
        default: "16384",
        meaning: "Most records that may wait for the writer of the log, 1 to 1 000 000.",
    },
    Key {
        name: "audit.segmentBytes",
        default: "67108864",
        meaning: "Size at which the log begins a new file, in bytes, 64 KiB to 4 GiB.",
    },
    Key {
        name: "log.level",
        default: "info",
        meaning: "What is logged: `error`, `warn`, `info`, `debug` or `trace`.",
    },
    Key {
        name: "log.format",
        default: "auto",
        meaning: "`text`, `json`, or `auto`: text on a terminal, JSON otherwise.",
    },
];

/// A key whose value is a list or a map instead of one text.
///
/// Outside the file its value is YAML or JSON in one line. [`super::layers::Setting::value`]
/// holds it as JSON.
#[derive(Debug)]
pub(super) struct Structure {
    /// The name of the key.
    pub(super) name: &'static str,
    /// Members, anywhere within, whose values must not be shown.
    pub(super) hidden: &'static [&'static str],
    /// Whether it is set as a whole, or also member by member outside the file.
    pub(super) setting: StructureSetting,
}

/// How a structure is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StructureSetting {
    /// Only as a whole.
    Whole,
    /// As a whole, or a member of it by its path: `engine.globals.limits.days`.
    Members,
}

/// The keys that take structures.
pub(super) const STRUCTURES: &[Structure] = &[
    Structure { name: "auxData.jwt.keySets", hidden: &["data"], setting: StructureSetting::Whole },
    Structure { name: "engine.globals", hidden: &[], setting: StructureSetting::Members },
];

/// A key of the peer that is accepted, with everything below it, but has no effect.
#[derive(Debug)]
pub(super) struct Inert {
    /// Dotted name; keys below it are meant as well.
    pub(super) prefix: &'static str,
    /// Why it has no effect and what that means.
    pub(super) why: &'static str,
}

const NO_MEANING: &str = "has no meaning here";
const LATER: &str = "is not evaluated yet";

/// Keys of the peer that are accepted with a notice.
pub(super) const INERT: &[Inert] = &[
    Inert {
        prefix: "auxData.jwt.cacheSize",
        why: "has no meaning here: every token is verified whenever it comes",
    },
    Inert { prefix: "schema.cacheSize", why: NO_MEANING },
    Inert {
        prefix: "server.adminAPI.adminCredentials",
        why: "is not evaluated yet: only loopback may use the admin API",
    },
    Inert {
        prefix: "audit.backend",
        why: "has no meaning here: decisions are recorded below `server.dataDir`",
    },
    Inert { prefix: "audit.local", why: NO_MEANING },
    Inert { prefix: "audit.file", why: LATER },
    Inert { prefix: "audit.kafka", why: LATER },
    Inert { prefix: "audit.hub", why: NO_MEANING },
    Inert { prefix: "audit.accessLogsEnabled", why: NO_MEANING },
    Inert { prefix: "audit.decisionLogsEnabled", why: "has no meaning here: use `audit.enabled`" },
    Inert { prefix: "audit.includeMetadataKeys", why: LATER },
    Inert { prefix: "audit.excludeMetadataKeys", why: LATER },
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

/// A key of the peer that is refused, with everything below it, because to leave it without effect would permit more
/// than was asked for.
#[derive(Debug)]
pub(super) struct Refused {
    /// Dotted name; keys below it are meant as well.
    pub(super) prefix: &'static str,
    /// The value that asks for nothing and is accepted; no value at all always is.
    pub(super) harmless: &'static str,
    /// Why it is refused and what to do.
    pub(super) why: &'static str,
}

/// Keys of the peer that are refused.
pub(super) const REFUSED: &[Refused] = &[Refused {
    prefix: "server.tls",
    harmless: "",
    why: "is not supported yet: end TLS in a proxy before the server and remove the key",
}];

/// The entry of [`INERT`] that `name` is, or is below.
pub(super) fn inert(name: &str) -> Option<&'static Inert> {
    INERT.iter().find(|entry| covers(entry.prefix, name))
}

/// The entry of [`REFUSED`] that `name` is, or is below.
pub(super) fn refused(name: &str) -> Option<&'static Refused> {
    REFUSED.iter().find(|entry| covers(entry.prefix, name))
}

/// Whether the value of `name` is a list or a map.
pub(super) fn is_structure(name: &str) -> bool {
    STRUCTURES.iter().any(|structure| structure.name == name)
}

/// The structure that `name` is a part of.
pub(super) fn structure_above(name: &str) -> Option<&'static Structure> {
    STRUCTURES.iter().find(|structure| covers(structure.name, name))
}

fn covers(prefix: &str, name: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether the value of `name` must not be shown.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "secret", "token", "credential"].iter().any(|word| name.contains(word))
}

/// The environment variable that sets `name`: `server.httpListenAddr` is `PROCURA_SERVER__HTTP_LISTEN_ADDR`.
#[must_use]
pub fn environment_name(name: &str) -> String {
    let mut variable = String::from("PROCURA_");
    let mut after_lower = false;
    for character in name.chars() {
        if character == '.' {
            variable.push_str("__");
        } else {
            if character.is_ascii_uppercase() && after_lower {
                variable.push('_');
            }
            variable.push(character.to_ascii_uppercase());
        }
        after_lower = character.is_ascii_lowercase();
    }
    variable
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;
    use std::fs;
    use std::path::Path;

    use super::*;

    const PAGE: &str = "docs/reference/configuration.md";

    fn page() -> String {
        let mut page = String::from(
            "# Configuration\n\n\
             A value comes from the last of these that sets it:\n\
             default, file (`--config FILE`), environment, `--set key=value`, flag.\n\
             `procura config` shows each value and where it came from.\n\n\
             Files are YAML or JSON; keys are those of a Cerbos configuration where the concept is the same.\n\
             `${NAME}` and `${NAME:default}` in a value of the file stand for an environment variable, `$$` for `$`.\n\
             A key whose default is a list or a map is set as a whole; in the environment and with `--set` its value is \
             YAML or JSON in one line.\n\
             An unknown key is an error.\n\n\
             | key | environment | default | meaning |\n|---|---|---|---|\n",
        );
        for Key { name, default, meaning } in KEYS {
            writeln!(page, "| `{name}` | `{}` | `{default}` | {meaning} |", environment_name(name)).unwrap();
        }
        page.push_str(
            "\n## Accepted without effect\n\n\
             These keys of a Cerbos configuration are accepted, with all keys below them, and named in a notice at \
             start.\n\n| key | what it means |\n|---|---|\n",
        );
        for Inert { prefix, why } in INERT {
            writeln!(page, "| `{prefix}` | {why} |").unwrap();
        }
        page.push_str(
            "\n## Refused\n\n\
             With these keys of a Cerbos configuration the server does not start, unless they have no value or the one \
             that asks for nothing.\n\n| key | asks for nothing | why |\n|---|---|---|\n",
        );
        for Refused { prefix, harmless, why } in REFUSED {
            let harmless = if harmless.is_empty() { String::new() } else { format!("`{harmless}`") };
            writeln!(page, "| `{prefix}` | {harmless} | {why} |").unwrap();
        }
        page
    }

    #[test]
    fn configuration_page_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, page()).unwrap();
        }
        assert_eq!(
            fs::read_to_string(&path).unwrap_or_default(),
            page(),
            "{PAGE} is stale: run with UPDATE=1"
        );
    }

    #[test]
    fn every_key_has_its_own_environment_variable_with_two_underscores() {
        let variables: BTreeSet<String> = KEYS.iter().map(|key| environment_name(key.name)).collect();
        assert_eq!(variables.len(), KEYS.len());
        assert!(variables.iter().all(|name| name.contains("__")));
        assert!(variables.contains("PROCURA_SERVER__ADMIN_API__ENABLED"), "{variables:?}");
    }

    #[test]
    fn inert_prefix_covers_whole_segments_only() {
        assert!(inert("audit.local.storagePath").is_some());
        assert!(inert("audit.local").is_some());
        assert!(inert("audit.locality").is_none());
        assert!(KEYS.iter().all(|key| inert(key.name).is_none()));
    }
}
