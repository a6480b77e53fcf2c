//! What fuzzing begins with: `UPDATE=1 cargo test --test it fuzz_seeds` writes the seeds, from our own policies, corpus
//! and documents, and from a log and tokens made for the purpose.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use procura::audit::proof::{Notary, Proof, SigningKeys, prove};
use procura::audit::{Log, LogSettings};
use procura::facts::{Limits, Store};
use procura::ports::{Clock, DecisionLog, LogFiles};
use procura::telemetry::Metrics;
use procura_core::model::Effect;
use procura_testkit::calls::MadeUpCall;
use procura_testkit::certificates::{Authority, Leaf};
use procura_testkit::clock::SteppingClock;
use procura_testkit::issuer::{SigningKey, jwks};
use procura_testkit::sim_disk::SimDisk;
use procura_testkit::temp_dir::TempDir;
use serde_json::json;

use crate::tidy::root;

/// Most bytes of the seeds of one target: they are for reading and for the repository.
const MOST_BYTES: usize = 24 * 1024;

/// Between the parts of an input; no text holds it.
const NEXT_PART: &[u8] = &[u8::MAX];

/// Inputs by target and name.
type Seeds = BTreeMap<(&'static str, String), Vec<u8>>;

#[test]
fn every_fuzz_target_has_seeds_and_every_seed_a_target() {
    let program = fs::read_to_string(root().join("fuzz/src/main.rs")).unwrap();
    let table = program.split("const TARGETS").nth(1).unwrap().split("];").next().unwrap();
    let targets: BTreeSet<&str> =
        table.split("(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(targets.len() > 10, "{targets:?}");
    for target in &targets {
        let files = fs::read_dir(root().join("fuzz/seeds").join(target));
        let bytes: u64 = files.unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert!((1..=MOST_BYTES as u64).contains(&bytes), "`{target}` has {bytes} bytes of seeds");
    }
    for directory in ["seeds", "dictionaries"] {
        for entry in fs::read_dir(root().join("fuzz").join(directory)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(targets.contains(name.as_str()), "`fuzz/{directory}/{name}` is of no target");
        }
    }
}

#[tokio::test]
async fn seeds_are_written_anew_when_asked_for() {
    if std::env::var_os("UPDATE").is_none() {
        return;
    }
    let mut seeds = Seeds::new();
    texts(&mut seeds);
    policies(&mut seeds);
    requests(&mut seeds);
    tokens(&mut seeds);
    certificates(&mut seeds);
    callers(&mut seeds);
    signals(&mut seeds);
    facts(&mut seeds);
    log(&mut seeds).await;
    for ((target, name), bytes) in seeds {
        write(&format!("seeds/{target}/{name}"), &bytes);
    }
}

fn write(path: &str, bytes: &[u8]) {
    let path = root().join("fuzz").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn joined(parts: &[&str]) -> Vec<u8> {
    parts.iter().map(|part| part.as_bytes()).collect::<Vec<_>>().join(NEXT_PART)
}

/// The journal and the snapshot of facts.
fn facts(seeds: &mut Seeds) {
    let fact = r#"{"subject":[["principal","","alice"],["token","https://idp.example/","t1"]],"name":"account-disabled","slot":"account","value":{"reason":null},"source":"okta","id":"jti-1","at":[1795305600,5],"received":[1795305601,0],"expires":[1795309200,0],"rank":2}"#;
    let batch = |after: u64, id: &str, facts: &str| {
        format!(
            r#"{{"after":{after},"events":[{{"source":"okta","id":"{id}","received":[1795305601,0],"facts":[{facts}]}}]}}"#
        )
    };
    let journal = [batch(0, "jti-1", fact), String::new(), batch(1, "jti-2", "")];
    let snapshot = [
        format!(r#"{{"facts":[{fact}]}}"#),
        r#"{"taken":{"source":"okta","names":[[1,2,1795305601]]}}"#.to_owned(),
        r#"{"end":{"facts":1,"taken":1}}"#.to_owned(),
    ];
    for (name, mode, payloads) in [("journal", 2, &journal), ("snapshot", 3, &snapshot)] {
        let payloads = payloads.iter().map(String::as_str).collect::<Vec<_>>();
        seeds.insert(("facts", name.to_owned()), [&[mode][..], &joined(&payloads)].concat());
    }
    let disk = SimDisk::new(1);
    drop(Store::open(Arc::new(disk.clone()), Limits::default()).unwrap());
    let name = disk.list().unwrap().remove(0);
    let bytes = disk.read_at(&name, 0, usize::try_from(disk.len(&name).unwrap()).unwrap()).unwrap();
    seeds.insert(("facts", "as_it_is".to_owned()), [&[0][..], &bytes].concat());
}

/// Expressions, filters, schemas, configurations.
fn texts(seeds: &mut Seeds) {
    let documented = read("docs/reference/functions.md");
    let examples = documented.lines().filter_map(|line| line.strip_prefix("| `")?.split("` |").next());
    let examples =
        examples.filter(|example| example.contains("R.attr")).map(|example| example.replace("\\|", "|"));
    let more = [
        "has(R.attr.geo.country) && !has(R.attr.geo.city) && 'admin' in P.roles && V.mine && C.limit == 5",
        "request.auxData.jwt.iss == 'acme' && G.limits.day == 9 && now() > timestamp('2026-01-31T12:00:00Z')",
        "'%s has %.2f, %x'.format([R.attr.owner, 2.5, 255]) == '' || R.attr['a b'] in [1, 2u, -0x3, 1.5e3]",
        "P.id.matches('^a+[b-z]*$') ? duration('1h30m') < timeSince(now()) : b'\\x00' != bytes(r'\\n')",
        "R.attr.sizes.filter(s, s > 1.0).map(s, s * 2.0).exists(s, s == 4.0) && size({'a': [1], 'b': []}) == 2",
        "S.exists(s, s.about.principal == P.id && age(s) < duration('1h')) || latest(S, 'risk-level-change').?data.?current_level.orValue('LOW') == 'HIGH'",
    ];
    for (n, text) in examples.chain(more.map(str::to_owned)).enumerate() {
        seeds.insert(("expression", format!("{n:02}")), text.into_bytes());
    }
    let filters = [
        r#"principal == "al\"ice" && (action in ["view", 'delete'] || effect == "deny")"#,
        r#"at >= "2026-11-22" && at < "2026-11-22T10:00:00.5Z" && !(reason == "no_policy")"#,
        r#"policy.startsWith("resource.album.") && role != "admin" && derivedRole in []"#,
        r#"kind == "policy_change" || rule == "" && caller == "::1" && requestId.startsWith('r-')"#,
    ];
    for (n, filter) in filters.iter().enumerate() {
        seeds.insert(("query", n.to_string()), filter.as_bytes().to_vec());
    }
    let schemas = [
        (
            r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","required":["a"],
"properties":{"a":{"type":"string","pattern":"^x+$","format":"date-time"},"b":{"$ref":"#/$defs/n"}},
"$defs":{"n":{"type":["integer","null"],"minimum":1,"multipleOf":0.5}},"additionalProperties":false}"##,
            r#"{"a":"xx","b":3,"c":[1,{"d":null}]}"#,
        ),
        (
            r##"{"allOf":[{"if":{"properties":{"k":{"const":1}}},"then":{"required":["z"]},"else":{"not":{}}}],
"oneOf":[{"$dynamicRef":"#m"},{"$anchor":"x"}],"$dynamicAnchor":"m","unevaluatedProperties":{"type":"array",
"prefixItems":[{"enum":[1,"a",null]}],"items":{"$ref":"#x"},"contains":{"maxLength":2},"minContains":2}}"##,
            r#"{"k":1,"z":[1,"ab","abc"]}"#,
        ),
        (
            r#"{"$schema":"http://json-schema.org/draft-04/schema#","id":"http://a/b","patternProperties":{"^s":{"format":
"ipv4"}},"dependencies":{"s":["t"]},"maximum":5,"exclusiveMaximum":true,"uniqueItems":true}"#,
            r#"{"s1":"10.0.0.1","t":[1,1.0]}"#,
        ),
    ];
    for (n, (schema, attributes)) in schemas.iter().enumerate() {
        seeds.insert(("schema", n.to_string()), joined(&[schema, attributes]));
    }
    let configurations = [
        "server:\n  httpListenAddr: \":3592\"\n  dataDir: ${SET}/data\n  maxBodyBytes: 1000000\nengine:\n  onError: cerbos\n  globals: {a: [1, {b: null}]}\n",
        "auxData:\n  jwt:\n    keySets:\n      - id: one\n        remote: {url: \"https://issuer.example/jwks\", refreshInterval: 1h}\n      - id: two\n        local: {file: k.pem, pem: true}\n",
        "audit:\n  mask:\n    - {path: principal.attr.email, do: hash, kinds: [album]}\n  durability: {default: durable, routes: {explain: async}}\n  retention: {age: 720h, bytes: 1000000000}\nreload: {requireTests: true}\n",
        "server:\n  tls: {cert: s.pem, key: s.key, caCert: c.pem, clientAuth: required}\ncallers:\n  anonymous: refuse\n  keys: {file: k.yaml}\n  certificates:\n    - {match: \"spiffe://acme.org/**\", roles: [decide], tenants: [acme], agent: true}\n  tokens:\n    - {issuer: \"https://idp\", audiences: [procura], algorithms: [ES256], rolesClaim: roles, local: {file: j.json}}\n",
        "storage:\n  disk: {directory: policies, watchForChanges: true}\nlog: {level: info, format: json}\nserver.adminAPI.enabled: true\n",
        "signals:\n  maxFacts: 1000\n  standing: {sessions: false}\n  presented: {session: [\"jwt:sid\", \"attr:s\"]}\n  streams:\n    - name: idp\n      issuer: https://idp.example/\n      audiences: [p]\n      keys: {local: {file: k.json}}\n      poll: {url: \"https://idp.example/poll\", authorization: {file: a}}\n      facts: [\"risk-*\"]\n      subjects: [{format: opaque, member: session, as: session, id: \"s-{id}\"}]\n      tenants: [acme]\n      ttl: {risk-level-change: 24h}\n",
    ];
    for (n, text) in configurations.iter().enumerate() {
        seeds.insert(("configuration", n.to_string()), text.as_bytes().to_vec());
    }
    let calls: [(u8, [&str; 3]); 14] = [
        (0, ["aaab", "^(a|b)*$", ""]),
        (1, ["a1b22", "b(\\d+)", "none"]),
        (3, ["a1b22", "(?i)B(?P<n>[0-9]{2})", "\\1x"]),
        (4, ["/a/b/c.txt", "/a/**/*.{txt,md}", ""]),
        (6, ["/a/../b//c", "./x/./y", "/a/b"]),
        (11, ["a.b", "a.b.c", ""]),
        (15, ["spiffe://acme.example/ns/a/sa/b", "", ""]),
        (19, ["10.1.2.3", "10.0.0.0/8", ""]),
        (20, ["2001:db8::/32", "::ffff:1.2.3.4", ""]),
        (23, ["%s and %x", "b", "c"]),
        (31, ["2026-01-31T12:00:00.5+02:00", "Europe/Vienna", ""]),
        (33, ["1h30m0.5s", "-2ms", ""]),
        (35, ["1e308", "-0.0", ""]),
        (38, ["aGVsbG8=", "", ""]),
    ];
    for (which, texts) in calls {
        let bytes = [&[which], joined(&texts).as_slice()].concat();
        seeds.insert(("function", format!("{which:02}")), bytes);
    }
}

/// Sets of policies and their tests.
fn policies(seeds: &mut Seeds) {
    for (set, files) in [
        ("agent_tools", &["capabilities.yaml", "tool_call.yaml"][..]),
        ("hr_leave", &["constants.yaml", "derived_roles.yaml", "leave_request.yaml", "variables.yaml"]),
    ] {
        let files = files.iter().map(|file| format!("{file}\n{}", read(&format!("policies/{set}/{file}"))));
        let files: Vec<String> = files.collect();
        seeds.insert(
            ("policy", set.to_owned()),
            joined(&files.iter().map(String::as_str).collect::<Vec<_>>()),
        );
    }
    for case in [
        "role_policies_confine_a_role_to_what_they_list",
        "principal_policies_are_asked_first",
        "derived_roles_are_those_of_each_scope",
        "outputs_are_json",
        "attributes_that_do_not_fit_their_schema_are_told_or_denied",
    ] {
        let corpus = read(&format!("tests/corpus/decisions/{case}.yaml"));
        let policies = corpus.split("\npolicies:\n").nth(1).unwrap().split("\ncases:").next().unwrap();
        let mut files: Vec<String> = Vec::new();
        for line in policies.lines() {
            match line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) {
                Some(head) => files.push(format!("{}\n", head.split(':').next().unwrap())),
                None => files.last_mut().unwrap().extend([line.strip_prefix("    ").unwrap_or(line), "\n"]),
            }
        }
        seeds.insert(
            ("policy", case.to_owned()),
            joined(&files.iter().map(String::as_str).collect::<Vec<_>>()),
        );
    }
    let suite = "name: Albums
tests:
  - name: owner
    input: {principals: [ann, bob], resources: [own], actions: [view, delete], auxData: claims}
    options: {now: '2026-11-22T10:00:00Z', globals: {a: 1}}
    expected:
      - principal: ann
        resource: own
        actions: {view: EFFECT_ALLOW}
        outputs:
          - {action: view, expected: [{src: 'resource.album.vdefault#owner-views', val: viewed by ann}]}
  - name: skipped
    skip: true
    skipReason: later
    input: {principalGroups: [all], resources: [own], actions: ['*']}
";
    let principals = "principals:
  ann: {id: ann, roles: [user]}
  bob: {id: bob, roles: [admin], attr: {level: 3}}
principalGroups: {all: {principals: [ann, bob]}}
";
    let resources = "resources: {own: {kind: album, id: '1', attr: {owner: ann, public: false}}}\n";
    let claims = "auxData: {claims: {jwt: {sub: ann, aud: [x]}}}\n";
    seeds.insert(("suite", "fixtures".to_owned()), joined(&[suite, principals, resources, claims]));
    let inline = format!("{suite}{principals}{resources}{claims}");
    seeds.insert(("suite", "inline".to_owned()), inline.into_bytes());
}

/// Bodies and heads.
fn requests(seeds: &mut Seeds) {
    let usual = r#"{"requestId":"1","includeMeta":true,"principal":{"id":"a","roles":["r","s"],"attr":{"x":1.5,"y":[-2,"\u00e4"]},
"scope":"acme.hr"},"resources":[{"actions":["v","w"],"resource":{"kind":"k","id":"i","attr":{"n":null,"t":true},"policyVersion":"v_1"}}],
"context":{"ip":"10.0.0.1"}}"#;
    let tokens = r#"{"principal":{"id":"a","roles":["r"],"policy_version":""},"resources":[{"actions":["v"],"resource":
{"kind":"k","id":"i","scope":"."}}],"auxData":{"jwt":{"token":"a.b.c","keySetId":"k"},"jwts":{"n":{"token":"a.b.c"}}},
"requestContext":{"annotations":{"a":1}}}"#;
    let set = r#"{"requestId":"1","principal":{"id":"a","roles":["r"]},"actions":["v","w"],"resource":{"kind":"k",
"policyVersion":"1","instances":{"i1":{"attr":{"x":1}},"i2":{"attr":{}}}}}"#;
    for (name, body) in [("usual", usual), ("tokens", tokens), ("set", set)] {
        seeds.insert(("check", name.to_owned()), body.as_bytes().to_vec());
    }
    let evaluation = r#"{"subject":{"type":"user","id":"a","properties":{"cerbos.roles":["r"],"cerbos.scope":"s","x":1}},
"action":{"name":"v","properties":{}},"resource":{"type":"k","id":"i","properties":{"cerbos.policyVersion":"1"}},
"context":{"cerbos.requestId":"1","cerbos.includeMeta":true,"cerbos.auxData":{"jwt":{"token":"a.b.c"}},"t":null}}"#;
    seeds.insert(("authzen", "evaluation".to_owned()), evaluation.as_bytes().to_vec());
    for (n, (what, path)) in [
        (0, "principal.attr.email"),
        (1, r#"resource.attr["a b"].*"#),
        (2, "context"),
        (130, "outputs"),
        (0, "call.caller.address"),
        (1, "auxData.jwts.agent.sub"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = usual.replace(r#""k""#, r#""album""#).replace(r#"["v","w"]"#, r#"["view","delete"]"#);
        let bytes = [&[what], joined(&[path, &body]).as_slice()].concat();
        seeds.insert(("mask", n.to_string()), bytes);
    }
    let heads = [
        [
            "filter=action%20%3D%3D%20%22view%22&since=2026-01-31T12:00:00Z&limit=5&cursor=c1-1f&by=action,principal",
            "localhost:3592",
            "http://127.0.0.1:80",
        ],
        [
            "between.start=2026-01-01T00:00:00Z&between.end=2026-01-02T01:00:00%2B01:00",
            "[::1]:3592",
            "https://[::1]",
        ],
        ["since=1h30m", "127.0.0.1.nip.io", "null"],
        ["tail=10", "[::ffff:127.0.0.1]", "http://localhost@example.org"],
    ];
    for (n, head) in heads.iter().enumerate() {
        seeds.insert(("edge", n.to_string()), joined(head));
    }
}

/// Tokens of every kind of key, and the keys; who made them is gone.
fn tokens(seeds: &mut Seeds) {
    let algorithms = ["HS256", "RS256", "ES256", "EdDSA"];
    let keys = algorithms.map(|algorithm| SigningKey::generate(algorithm, algorithm));
    let claims = json!({"iss": "https://issuer.example", "sub": "ann", "aud": ["procura", "x"], "exp": 1_895_305_600,
        "nbf": "1795305600", "iat": 1_795_305_600.5, "act": {"sub": "agent"}, "cnf": {"jkt": "x"}});
    let tokens = keys.each_ref().map(|key| key.token(&claims));
    let set = jwks(&keys.each_ref().map(SigningKey::jwk));
    write("known/jwks.json", set.as_bytes());
    write("known/tokens.txt", (tokens.join("\n") + "\n").as_bytes());
    for (algorithm, token) in algorithms.iter().zip(&tokens) {
        seeds.insert(("token", (*algorithm).to_owned()), token.clone().into_bytes());
    }
    let unsigned =
        keys[2].sign(&json!({"alg": "none", "crit": ["x"], "kid": 1}), claims.to_string().as_bytes());
    seeds.insert(("token", "none".to_owned()), unsigned.into_bytes());
    let mut header = json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": keys[2].jwk()});
    let said = json!({"jti": "1", "htm": "GET", "htu": "https://host/a", "iat": 1_795_305_600, "ath": "x"});
    seeds.insert(
        ("token", "dpop".to_owned()),
        keys[2].sign(&header, said.to_string().as_bytes()).into_bytes(),
    );
    header["jwk"]["d"] = "x".into();
    seeds.insert(("token", "private".to_owned()), keys[2].sign(&header, b"{}").into_bytes());
    seeds.insert(
        ("token", "claims".to_owned()),
        br#"{"act":{"sub":"a","client_id":"c","act":{"sub":"b"}}}"#.to_vec(),
    );
    seeds.insert(("keys", "jwks".to_owned()), [b"\0", set.as_bytes()].concat());
    for key in &keys[1..] {
        let name = format!("{}.pem", key.alg);
        seeds.insert(("keys", name), [b"\x01", key.pem().as_bytes()].concat());
    }
}

/// Certificates of each kind of name, and a revocation list.
fn certificates(seeds: &mut Seeds) {
    let authority = Authority::new("acme");
    let host = Leaf { dns_names: vec!["Billing.acme.org".to_owned()], ..Leaf::client("billing") };
    let leaves = [
        ("spiffe", Leaf::workload("spiffe://acme.org/ns/a/sa/b")),
        ("host", host),
        ("name", Leaf::client("ann")),
    ];
    for (name, leaf) in leaves {
        let certificate = der(&authority.issue(&leaf).certificate);
        seeds.insert(("certificate", name.to_owned()), certificate);
    }
    seeds.insert(("certificate", "list".to_owned()), der(&authority.revoke(&[1, 2], 3600)));
    seeds.insert(("certificate", "id".to_owned()), b"spiffe://acme.org/ns/a/sa/b".to_vec());
}

/// Who may call, who must not be relied on, and where a call stands in a trace.
fn callers(seeds: &mut Seeds) {
    let hash = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let keys = format!(
        "- {{id: a1, name: shop, hash: {hash}, roles: [decide, batch]}}
- id: \"b2\"
  name: 'desk: 1'
  hash: {hash}
  tenants: [acme]
  agent: true
  expires: 2030-01-31T00:00:00Z
  revoked: 2026-11-22T10:00:00.5+01:00
"
    );
    seeds.insert(("api-keys", "two".to_owned()), keys.into_bytes());
    let quarantines = json!({"v": 1, "quarantines": [
        {"id": "one", "issuer": "https://id.example", "since": "2026-11-22T10:00:00Z", "reason": "stolen",
            "begun": "2026-11-22T10:00:00Z", "by": "ada"},
        {"id": "q-2", "keySet": "staff", "key": "k1", "since": "2026-11-22T10:00:00.5Z", "reason": "in a log",
            "begun": "2026-11-22T10:00:00Z"},
    ]});
    let sealed = format!("\u{1}{quarantines}");
    seeds.insert(("quarantine", "two".to_owned()), sealed.into_bytes());
    for (n, names) in [
        ["spiffe://acme.org/ns/*/sa/**", "spiffe://acme.org/ns/prod/sa/a/b"],
        ["*.acme.org", "a.b.acme.org"],
        ["a*/b**c*", "aXb/bYcZ"],
        ["CN=*", "CN=ann"],
    ]
    .iter()
    .enumerate()
    {
        seeds.insert(("names", n.to_string()), joined(names));
    }
    for (n, header) in [
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more",
        "ff-00000000000000000000000000000000-0000000000000000-01",
    ]
    .iter()
    .enumerate()
    {
        seeds.insert(("trace", n.to_string()), header.as_bytes().to_vec());
    }
}

/// Security event tokens of every family, identifiers of every format, and what a webhook brings.
fn signals(seeds: &mut Seeds) {
    let user = json!({"format": "iss_sub", "iss": "https://idp.example/", "sub": "ann"});
    let caep = |name: &str| format!("https://schemas.openid.net/secevent/caep/event-type/{name}");
    let risc = |name: &str| format!("https://schemas.openid.net/secevent/risc/event-type/{name}");
    let scim = |name: &str| format!("urn:ietf:params:scim:event:prov:{name}");
    let session = json!({"format": "complex", "user": user, "session": {"format": "opaque", "id": "s-1"}});
    let resource = json!({"format": "scim", "uri": "/Users/1", "externalId": "ann"});
    let device = json!({"format": "complex", "device": {"format": "opaque", "id": "d-1"}, "tenant": {"format": "opaque", "id": "t"}});
    let aliases =
        json!({"format": "aliases", "identifiers": [user, {"format": "email", "email": "ann@example.org"}]});
    let stream = "https://schemas.openid.net/secevent/ssf/event-type/verification".to_owned();
    let events = [
        (
            caep("session-revoked"),
            &session,
            json!({"event_timestamp": 1_795_305_590, "reason_admin": {"en": "x"}}),
        ),
        (caep("token-claims-change"), &user, json!({"claims": {"role": "a", "groups": ["b"]}})),
        (caep("credential-change"), &user, json!({"credential_type": "password", "change_type": "revoke"})),
        (
            caep("assurance-level-change"),
            &user,
            json!({"namespace": "NIST-AAL", "current_level": "nist-aal1", "previous_level": "nist-aal2", "change_direction": "decrease"}),
        ),
        (
            caep("device-compliance-change"),
            &device,
            json!({"previous_status": "compliant", "current_status": "not-compliant"}),
        ),
        (
            caep("risk-level-change"),
            &aliases,
            json!({"principal": "USER", "current_level": "HIGH", "risk_reason": "r"}),
        ),
        (risc("account-disabled"), &user, json!({"reason": "hijacking"})),
        (risc("credential-compromise"), &user, json!({"credential_type": "password"})),
        (risc("identifier-changed"), &aliases, json!({"new-value": "ann@example.com"})),
        (scim("patch:full"), &resource, json!({"data": {"active": false, "title": "x"}, "version": "W/1"})),
        (scim("deactivate"), &resource, json!({})),
        (stream, &json!({"format": "opaque", "id": "1"}), json!({"state": "x"})),
    ];
    for (event, subject, payload) in events {
        let claims = json!({"iss": "https://idp.example/", "jti": "1", "iat": 1_795_305_600, "toe": 1_795_305_595.5,
            "aud": ["https://pdp.example/"], "txn": "2", "sub_id": subject, "events": {(&event): payload}});
        let name = event.rsplit(['/', ':']).next().unwrap().to_owned();
        seeds.insert(("set", name), claims.to_string().into_bytes());
    }
    let token = json!({"format": "jwt_id", "iss": "https://idp.example/", "jti": "1"});
    let more = json!({"format": "aliases", "identifiers": [
        {"format": "account", "uri": "acct:ann@example.org"}, {"format": "did", "url": "did:example:1/a?b#c"},
        {"format": "phone_number", "phone_number": "+431234567"}, {"format": "uri", "uri": "spiffe://acme.org/a"},
        {"format": "saml_assertion_id", "issuer": "i", "assertion_id": "a"},
        {"format": "ip-addresses", "ip-addresses": ["10.0.0.1", "::1"]}]});
    for (name, subject) in [
        ("session", session),
        ("scim", resource),
        ("device", device),
        ("aliases", aliases),
        ("token", token),
        ("more", more),
    ] {
        seeds.insert(("subject", name.to_owned()), subject.to_string().into_bytes());
    }
    let metadata = json!({"issuer": "https://idp.example/", "spec_version": "1_0", "jwks_uri": "https://idp.example/k",
        "configuration_endpoint": "https://idp.example/s", "verification_endpoint": "https://idp.example/v"});
    let found = json!([{"stream_id": "1", "iss": "https://idp.example/", "aud": ["https://pdp.example/"], "description": "ours",
        "events_requested": ["urn:x"], "events_delivered": [], "min_verification_interval": 60,
        "delivery": {"method": "urn:ietf:rfc:8936", "endpoint_url": "https://idp.example/p"}}]);
    let polled = json!({"sets": {"1": "e30.e30.e30", "2": 3}, "moreAvailable": true});
    for (name, answer) in [("metadata", metadata), ("streams", found), ("events", polled)] {
        seeds.insert(("transmitter", name.to_owned()), answer.to_string().into_bytes());
    }
    let facts = r#"{"id": 7, "facts": [{"type": "ticket-closed", "subject": {"resource": {"kind": "ticket", "id": "T-1"}}, "at":
"2026-11-22T10:00:00Z", "expires": "2026-11-23T10:00:00Z", "data": {"by": ["ann"]}}, {"type": "x", "subject": {"principal": "ann"},
"withdrawn": true}]}"#;
    let signed = format!("t=1795305600,v1={}", "ab".repeat(32));
    seeds.insert(("webhook", "facts".to_owned()), joined(&[&signed, facts]));
    seeds.insert(("webhook", "other".to_owned()), joined(&["v1=x", r#"{"id": "a"}"#]));
}

/// What stands in the first block of a PEM text.
fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().skip(1).take_while(|line| !line.starts_with('-'));
    STANDARD.decode(lines.collect::<String>()).unwrap()
}

/// A small log: its records, segments, checkpoints, and a proof.
async fn log(seeds: &mut Seeds) {
    let disk = SimDisk::new(7);
    let clock: Arc<SteppingClock> = Arc::default();
    let settings = LogSettings { segment_bytes: 2 * 1024, ..LogSettings::default() };
    let metrics = Arc::new(Metrics::new().unwrap());
    let (log, _) = Log::open(Arc::new(disk.clone()), &settings, clock.clone(), metrics).unwrap();
    for number in 0..6 {
        let at = clock.now();
        let (principal, action, effect) = ("alice", "view", Effect::Allow);
        let call = MadeUpCall { at, number, principal, action, resource: "a1", effect, padding: 10 };
        if number == 0 {
            seeds.insert(("record", "call".to_owned()), call.record().payload);
        }
        log.append(call.record()).await.unwrap();
    }
    let content =
        |name: &str| disk.read_at(name, 0, usize::try_from(disk.len(name).unwrap()).unwrap()).unwrap();
    let mut names: Vec<String> =
        disk.list().unwrap().into_iter().filter(|name| name.ends_with(".seg")).collect();
    names.sort();
    let (first, second) = (content(&names[0]), content(&names[1]));
    let length = u16::try_from(first.len()).unwrap().to_le_bytes();
    for (name, mode) in [("as_it_is", 0), ("sealed", 1)] {
        let bytes = [&[mode][..], &length, &first, &second].concat();
        seeds.insert(("segment", name.to_owned()), bytes);
    }
    seeds.insert(("compressed", "plain".to_owned()), [&[2][..], &first].concat());
    let known = read("fuzz/known/record.json");
    seeds.insert(("record", "full".to_owned()), known.into_bytes());
    for (name, record) in [
        (
            "policy_change",
            r#"{"v":1,"kind":"policy_change","at":"2026-11-22T10:00:00Z","cause":"admin","caller":{"address":"10.0.0.1:9"},"to":{"revision":"abc","generation":2},"files":3}"#,
        ),
        (
            "log_repair",
            r#"{"v":1,"kind":"log_repair","at":"2026-11-22T10:00:00Z","cause":"torn_tail","segment":"s","offset":80,"droppedBytes":7}"#,
        ),
        ("decision_id", "0193a/12"),
        ("hash", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
    ] {
        seeds.insert(("record", name.to_owned()), record.as_bytes().to_vec());
    }

    let keys = TempDir::new("fuzz-seeds");
    let keys = Arc::new(SigningKeys::open(keys.path(), None, false).unwrap());
    let mut notary = Notary::open(log.reader(), Arc::clone(&keys)).unwrap();
    while notary.sign().unwrap().is_some() {}
    let signed = notary.last().unwrap().clone();
    let Proof::Bundle(bundle) = prove(log.reader(), 3).unwrap() else { panic!("record 3 is signed for") };
    let key = keys.verifiers()[0].to_string();
    write("known/bundle.json", &bundle.to_json());
    write("known/bundle.key", format!("{key}\n").as_bytes());
    seeds.insert(("proof", "bundle".to_owned()), bundle.to_json());
    seeds.insert(("proof", "note".to_owned()), signed.note.to_string().into_bytes());
    seeds.insert(("proof", "checkpoint".to_owned()), signed.checkpoint.to_string().into_bytes());
    seeds.insert(("proof", "key".to_owned()), key.into_bytes());
    seeds.insert(("proof", "checkpoints".to_owned()), content("CHECKPOINTS"));

    drop(log);
    let settings = LogSettings { compress: true, ..settings };
    let log = Log::open(Arc::new(disk.clone()), &settings, clock, Arc::new(Metrics::new().unwrap())).unwrap();
    let compressed = format!("{}.zst", names[0]);
    while !disk.list().unwrap().contains(&compressed) {
        tokio::task::yield_now().await;
    }
    drop(log);
    seeds.insert(("compressed", "file".to_owned()), [&[0][..], &content(&compressed)].concat());
}
