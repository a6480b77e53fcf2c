//! Our configuration keys.

use super::Key;

/// The keys that are about nothing in particular, in the order of the reference page.
pub(super) const KEYS: &[Key] = &[
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
    Key { name: "server.adminAPI.enabled", default: "true", meaning: "Whether `/admin` answers." },
    Key {
        name: "callers.anonymous",
        default: "auto",
        meaning: "What becomes of requests without a credential. `refuse`: 401. `local`: those made on this machine are \
                  answered. `allow`: those from elsewhere may ask for decisions too. `auto`: `refuse` if callers can \
                  authenticate, else `local`. See [Callers](callers.md).",
    },
    Key {
        name: "callers.keys.file",
        default: "",
        meaning: "File of the hashes of API keys, which `procura key create` makes. It is read again when it changes.",
    },
    Key {
        name: "callers.tokens",
        default: "[]",
        meaning: "The issuers whose tokens name callers, a list of key sets as in `auxData.jwt.keySets` with `issuer`, \
                  `audiences` and what their callers are given; see [Callers](callers.md).",
    },
    Key {
        name: "callers.policies",
        default: "",
        meaning: "Directory of policies that say what callers may do; if empty, those that ship: [Callers](callers.md).",
    },
    Key {
        name: "server.limits.requestsPerSecond",
        default: "0",
        meaning: "Requests that one caller may make in a second, at most 1 000 000. `0`: any number. See \
                  [Limits](http-api.md#limits).",
    },
    Key {
        name: "server.limits.burst",
        default: "1000",
        meaning: "Requests that one caller may make at once after a pause, if `server.limits.requestsPerSecond` is set. 1 to \
                  1 000 000.",
    },
    Key {
        name: "server.limits.concurrentPerCaller",
        default: "1024",
        meaning: "Calls of one caller that are decided at a time, 1 to 65 536. A large call counts as several.",
    },
    Key {
        name: "server.limits.concurrent",
        default: "2048",
        meaning: "Calls that are decided at a time, of all callers, 1 to 65 536. A large call counts as one for each 64 KiB \
                  of memory that it takes.",
    },
    Key {
        name: "server.limits.connections",
        default: "4096",
        meaning: "Connections at a time, 1 to 65 536.",
    },
    Key {
        name: "server.limits.connectionsPerAddress",
        default: "2048",
        meaning: "Connections from one address at a time, of IPv6 from one network of 64 bits. 1 to 65 536.",
    },
    Key {
        name: "server.limits.headTimeout",
        default: "60s",
        meaning: "How long the head of a request may take, also after a pause, until the connection is closed: at the \
                  latest after twice that time. 100 ms to 1 h.",
    },
    Key {
        name: "server.limits.bodyTimeout",
        default: "30s",
        meaning: "How long a body may take. In each third of it 16 KiB must arrive, or all that is left. 100 ms to 1 h.",
    },
    Key {
        name: "server.limits.answerTimeout",
        default: "60s",
        meaning: "How long a caller may take to read an answer until the connection is closed. 100 ms to 1 h.",
    },
    Key {
        name: "server.tls.cert",
        default: "",
        meaning: "File with the certificate of the server, in PEM, followed by those between it and its authority. With it \
                  and its key connections are encrypted, otherwise they are not.",
    },
    Key {
        name: "server.tls.key",
        default: "",
        meaning: "File with the private key of that certificate, in PEM, not encrypted.",
    },
    Key {
        name: "server.tls.caCert",
        default: "",
        meaning: "File with the authorities, in PEM, whose client certificates show who a caller is.",
    },
    Key {
        name: "server.tls.clientAuth",
        default: "auto",
        meaning: "Whether callers are asked for a certificate: `none`, `optional` or `required`; `auto` is `optional` with \
                  `server.tls.caCert` and `none` without. A certificate that is shown must be good in any case.",
    },
    Key {
        name: "server.tls.crl",
        default: "",
        meaning: "File with revocation lists in PEM, one that is up to date of every authority between a client \
                  certificate and `server.tls.caCert`.",
    },
    Key {
        name: "server.tls.watchInterval",
        default: "1s",
        meaning: "How often these files are read again, 100 ms to 1 h; `0s` for SIGHUP alone. What is not good never \
                  replaces what is.",
    },
    Key {
        name: "callers.certificates",
        default: "[]",
        meaning: "What callers with a client certificate are given: a list of `{match, roles, tenants, agent}`, of which \
                  the first counts whose `match` is about the name. See [TLS](tls.md).",
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
        name: "reload.requireNoChange",
        default: "false",
        meaning: "Whether a set that would answer recorded calls otherwise than the live one is kept from going live, as \
                  `reload.maxChanged: 0`. See [Replay](replay.md).",
    },
    Key {
        name: "reload.maxChanged",
        default: "",
        meaning: "How many recorded decisions a changed set may answer otherwise than the live one: a number, or a part of \
                  them such as `1%`. If empty, any.",
    },
    Key {
        name: "reload.replayCalls",
        default: "10000",
        meaning: "How many of the newest records `reload.requireNoChange` and `reload.maxChanged` look at, 1 to 1 000 000.",
    },
    Key {
        name: "reload.replaySince",
        default: "24h",
        meaning: "How old the calls are at most that they look at. 1 min to 366 days (`8784h`).",
    },
    Key {
        name: "shadow.directory",
        default: "",
        meaning: "Directory of a candidate set that decides every recorded call as well, without being asked; differences \
                  are recorded. If empty, none. See [Replay](replay.md).",
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
        name: "auxData.jwt.maxActors",
        default: "4",
        meaning: "Most actors of a chain of delegation, 1 to 16: a token whose claim `act` names more spoils its call.",
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
        name: "audit.routes",
        default: "{}",
        meaning: "Another durability for the calls of some APIs: a map from `check_resources`, `check_resource_set`, \
                  `check_resource_batch` or `access_evaluation` to a durability.",
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
        name: "audit.index.enabled",
        default: "true",
        meaning: "Whether there is an index of the log, so that queries need not read all of it.",
    },
    Key {
        name: "audit.index.maxLag",
        default: "1000000",
        meaning: "Records that the index may be behind: beyond that `/readyz` says so, and it takes as much of a \
                  processor as it needs. 1 to 1 000 000 000 000.",
    },
    Key {
        name: "audit.checkpoint.interval",
        default: "1s",
        meaning: "How often a checkpoint of the log is signed if there are new records, 100 ms to 1 h. See \
                  [Proof](proof.md).",
    },
    Key {
        name: "audit.checkpoint.origin",
        default: "",
        meaning: "Name of the log in its checkpoints, such as `pdp.example.com/decisions`. If empty, one that follows from \
                  its key.",
    },
    Key {
        name: "audit.checkpoint.postQuantum",
        default: "false",
        meaning: "Whether checkpoints are signed with ML-DSA-65 beside Ed25519.",
    },
    Key {
        name: "audit.witness.file",
        default: "",
        meaning: "File that keeps a copy of the checkpoints, on another disk or machine than the data directory.",
    },
    Key {
        name: "audit.witness.url",
        default: "",
        meaning: "Witness that keeps and signs the checkpoints: the submission prefix of a C2SP tlog-witness.",
    },
    Key {
        name: "audit.witness.key",
        default: "",
        meaning: "Public key of that witness, `NAME+ID+BASE64`. If given, only what it signed counts as kept.",
    },
    Key {
        name: "audit.segmentAge",
        default: "24h",
        meaning: "Age of its oldest record at which the log begins a new file, 1 s to 1 year; `0s` for no age.",
    },
    Key {
        name: "audit.compress",
        default: "true",
        meaning: "Whether files of the log that are closed are compressed. `zstd -d` restores them.",
    },
    Key {
        name: "audit.retention.age",
        default: "0s",
        meaning: "Age at which records are deleted, 1 s to 100 years, whole files of the log at once; `0s` for never.",
    },
    Key {
        name: "audit.retention.bytes",
        default: "0",
        meaning: "Bytes of the disk beyond which the oldest records are deleted, whole files of the log at once, 1 MiB to \
                  1 PiB; `0` for never.",
    },
    Key {
        name: "audit.retention.hold",
        default: "false",
        meaning: "If `true`, nothing is deleted whatever the other keys say, as for a legal hold.",
    },
    Key {
        name: "audit.reservedBytes",
        default: "268435456",
        meaning: "Bytes of the disk that are kept for records, at most 1 TiB: while less is free, compression and other \
                  work that can wait does so, and readiness says so.",
    },
    Key {
        name: "audit.ship",
        default: "[]",
        meaning: "Where the records of the log are sent, a list of files, HTTP servers and OTLP collectors; see \
                  [Shipping](shipping.md).",
    },
    Key {
        name: "audit.mask",
        default: "[]",
        meaning: "What must not stand in records: a list of `{path, do, kinds}`, where `do` is `remove`, `hash` or \
                  `pseudonym`; see [Privacy](privacy.md).",
    },
    Key {
        name: "audit.pseudonyms.period",
        default: "720h",
        meaning: "How long a key of pseudonyms is used before the next one is created, 1 s to 10 years.",
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
