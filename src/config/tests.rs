//! Layering, origins and the messages for what is wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use procura_core::engine::{OnError, SchemaEnforcement};

use super::*;
use crate::ports::Durability;

fn sources(file: &str, environment: &[(&str, &str)], set: &[&str]) -> Sources {
    Sources {
        file: (!file.is_empty()).then(|| ("c.yaml".to_owned(), file.to_owned())),
        environment: environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        set: set.iter().map(|s| (*s).to_owned()).collect(),
        flags: Vec::new(),
    }
}

fn problems(sources: &Sources) -> String {
    Config::from_sources(sources).unwrap_err().to_string()
}

fn setting<'a>(config: &'a Config, key: &str) -> &'a Setting {
    config.settings.iter().find(|setting| setting.key == key).unwrap()
}

#[test]
fn nothing_configured_is_loopback_durable_and_closed() {
    let config = Config::from_sources(&Sources::default()).unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:3592");
    assert_eq!(config.server.data_dir, Path::new(".procura"));
    assert_eq!(config.storage.directory, Path::new("policies"));
    assert!(config.storage.watch);
    assert_eq!(config.engine.on_error, OnError::Closed);
    assert_eq!(config.audit.durability, Durability::Durable);
    assert_eq!(config.audit.deadline, Duration::from_secs(1));
    assert!(config.audit.enabled);
    assert!(config.notices.is_empty());
    assert!(config.settings.iter().all(|setting| setting.origin == Origin::Default));
}

#[test]
fn later_layer_wins_and_is_the_origin() {
    let file = "audit:\n  deadline: 2s\n";
    let variable = "PROCURA_AUDIT__DEADLINE";
    let environment: &[_] = &[(variable, "3s")];
    let at_file = Origin::File { path: "c.yaml".into(), line: 2, column: 3 };
    for (sources, seconds, origin) in [
        (sources("", &[], &[]), 1, Origin::Default),
        (sources(file, &[], &[]), 2, at_file),
        (sources(file, environment, &[]), 3, Origin::Environment(variable.into())),
        (sources(file, environment, &["audit.deadline=4s"]), 4, Origin::Set),
        (sources("", &[], &["audit.deadline=4s", "audit.deadline=5s"]), 5, Origin::Set),
    ] {
        let config = Config::from_sources(&sources).unwrap();
        assert_eq!(config.audit.deadline, Duration::from_secs(seconds));
        assert_eq!(setting(&config, "audit.deadline").origin, origin);
    }
    let mut flagged = sources("server: {dataDir: a}", &[], &["server.dataDir=b"]);
    flagged.flags.push(("--data-dir", "server.dataDir", "c".into()));
    let config = Config::from_sources(&flagged).unwrap();
    assert_eq!(config.server.data_dir, Path::new("c"));
    assert_eq!(setting(&config, "server.dataDir").origin, Origin::Flag("--data-dir"));
}

#[test]
fn unknown_keys_are_named_with_place_and_suggestion() {
    let file = "server:\n  httpListenAdr: ':1'\nnonsense: 1\naudit: yes\n";
    let text =
        problems(&sources(file, &[("PROCURA_AUDIT__ENABLE", "true")], &["engine.onErr=closed", "novalue"]));
    for line in [
        "c.yaml:2:3: unknown key `server.httpListenAdr`; did you mean `server.httpListenAddr`?",
        "c.yaml:3:1: unknown key `nonsense`; the known keys are listed by `procura config`",
        "c.yaml:4:1: `audit` is a section; set the keys below it",
        "environment: `PROCURA_AUDIT__ENABLE` sets no known key; did you mean `PROCURA_AUDIT__ENABLED`?",
        "--set: unknown key `engine.onErr`; did you mean `engine.onError`?",
        "--set: `novalue` has no `=`; write `--set key=value`",
    ] {
        assert!(text.lines().any(|have| have == line), "{line}\nnot in\n{text}");
    }
}

#[test]
fn wrong_values_name_their_origin_and_what_is_valid() {
    for (set, want) in [
        ("audit.enabled=yes", "`audit.enabled` must be `false` or `true`, not `yes`"),
        ("audit.durability=disk", "`audit.durability` must be `durable` or `os` or `async`, not `disk`"),
        (
            "audit.deadline=1",
            "must be a duration from 1ms to 60s in `h`, `m`, `s` or `ms`, such as `120h` or `250ms`, not `1`",
        ),
        ("audit.deadline=0s", "must be a duration"),
        ("audit.deadline=-1s", "must be a duration"),
        ("server.requestLimits.maxActionsPerResource=501", "must be a whole number from 1 to 500, not `501`"),
        ("server.requestLimits.maxActionsPerResource=0", "must be a whole number"),
        ("server.httpListenAddr=3592", "must be `host:port` or `:port`, not `3592`"),
        ("server.httpListenAddr=unix:/x", "sockets in the file system are not served yet"),
        ("server.httpListenAddr=:99999", "must be `host:port`"),
        ("storage.driver=git", "`storage.driver` must be `disk`, not `git`"),
        ("storage.disk.directory=", "must not be empty"),
        ("server.tls.cert=/c", "--set: `server.tls.cert` has no effect without `server.tls.key`"),
        ("engine.defaultScope=a..b", "must be segments of letters, digits, `_` and `-`"),
        ("engine.strictEvaluation=yes", "must be `false` or `true`, not `yes`"),
    ] {
        let text = problems(&sources("", &[], &[set]));
        assert!(text.starts_with("--set: `") && text.contains(want), "{set}: {text}");
    }
}

#[test]
fn structures_come_from_every_layer_as_a_whole() {
    let key = "auxData.jwt.keySets";
    let file = "auxData: {jwt: {keySets: [{id: '${ID:a}', local: {file: k}}]}}";
    let set = format!("{key}=[{{id: c, local: {{file: k}}}}]");
    let variable = ("PROCURA_AUX_DATA__JWT__KEY_SETS", r#"[{"id": "b", "local": {"file": "k"}}]"#);
    for (sources, id) in [
        (sources(file, &[], &[]), "a"),
        (sources(file, &[("ID", "x")], &[]), "x"),
        (sources(file, &[variable], &[]), "b"),
        (sources(file, &[variable], &[&set]), "c"),
    ] {
        let config = Config::from_sources(&sources).unwrap();
        assert_eq!(config.aux_data.key_sets.iter().map(|set| &set.id).collect::<Vec<_>>(), [id]);
        assert_eq!(setting(&config, key).value, format!(r#"[{{"id":"{id}","local":{{"file":"k"}}}}]"#));
    }
}

#[test]
fn globals_are_set_as_a_whole_or_one_by_one() {
    let file = "engine: {globals: {environment: '${ENV:test}', limits: {days: 5}, list: [1, {a: null}]}}";
    let variable = ("PROCURA_ENGINE__GLOBALS", "{region: eu}");
    let members =
        ["engine.globals.limits.hours=2.5", "engine.globals.environment.name=live", "engine.globals.on=true"];
    let replaced = ["engine.globals={a: 1}", "engine.globals.b=hello", "engine.globals.empty="];
    for (sources, want) in [
        (sources("", &[], &[]), "{}"),
        (sources(file, &[], &[]), r#"{"environment":"test","limits":{"days":5},"list":[1,{"a":null}]}"#),
        (sources(file, &[("ENV", "x"), variable], &[]), r#"{"region":"eu"}"#),
        (
            sources(file, &[], &members),
            r#"{"environment":{"name":"live"},"limits":{"days":5,"hours":2.5},"list":[1,{"a":null}],"on":true}"#,
        ),
        (sources(file, &[], &replaced), r#"{"a":1,"b":"hello","empty":null}"#),
    ] {
        let config = Config::from_sources(&sources).unwrap();
        assert_eq!(serde_json::to_string(&config.engine.globals).unwrap(), want);
        assert_eq!(setting(&config, "engine.globals").shown(), want);
    }
}

#[test]
fn wrong_structures_name_place_and_member() {
    let file = "auxData:\n  jwt:\n    keySets:\n      - {id: a, local: {file: k, pem: 1}}\n";
    let text = problems(&sources(file, &[], &[]));
    assert!(text.starts_with("c.yaml:3:5: `auxData.jwt.keySets[0].local.pem` is not valid: "), "{text}");
    assert!(!text.contains(" line "), "{text}");
    for (set, want) in [
        ("auxData.jwt.keySets=[{id: a", "`auxData.jwt.keySets` is not valid YAML or JSON: "),
        ("auxData.jwt.keySets=a", "`auxData.jwt.keySets` is not valid: "),
        ("auxData.jwt.keySets=[{id: a, x: 1}]", "`auxData.jwt.keySets[0].x` is not valid: unknown field `x`"),
        ("auxData.jwt.keySets=[{id: a}]", "`auxData.jwt.keySets[0]` must have either `remote` or `local`"),
        ("auxData.jwt.keySets[0].id=a", "unknown key"),
        ("auxData.jwt.keySets.id=a", "is a part of `auxData.jwt.keySets`, which is set as a whole"),
        ("engine.globals=[1]", "`engine.globals` must be a map of names to values"),
        ("engine.globals.a-b=1", "`engine.globals.a-b` must have a name that expressions can use"),
        ("engine.globals.a=[", "`engine.globals.a` is not valid YAML or JSON: "),
        ("engine.globals.=1", "must have a name"),
        ("auxData.jwt.acceptableTimeSkew=1h", "must be a duration from 0ns to 600s"),
        (
            "auxData.jwt.keySets=[{id: a, remote: {url: 'https://x', refreshInterval: 1}}]",
            "`auxData.jwt.keySets[0].remote.refreshInterval` is not valid: ",
        ),
    ] {
        let text = problems(&sources("", &[], &[set]));
        assert!(text.starts_with("--set: ") && text.contains(want), "{set}: {text}");
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let text = problems(&sources("a: 1\nlog: {format: xml}", &[], &["audit.enabled=1"]));
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn settings_of_the_engine_reach_it() {
    let file = "engine: {defaultScope: acme.hr, lenientScopeSearch: true, strictEvaluation: true}";
    let engine = Config::from_sources(&sources(file, &[], &[])).unwrap().engine;
    assert_eq!(engine.default_scope, "acme.hr");
    assert!(engine.lenient_scope_search && engine.strict_evaluation);
    let root = Config::from_sources(&sources(file, &[], &["engine.defaultScope=."])).unwrap().engine;
    assert_eq!(root.default_scope, "", "the root has one name");
    assert_eq!(Config::from_sources(&Sources::default()).unwrap().engine, Settings::default());
}

#[test]
fn configuration_of_the_peer_starts_with_notices_only() {
    let file = r#"{
      "server": {"httpListenAddr": ":3592", "grpcListenAddr": "127.0.0.1:3593", "playgroundEnabled": true,
                 "adminAPI": {"enabled": true, "adminCredentials": {"username": "u", "passwordHash": "${NOT_SET}"}}},
      "storage": {"driver": "disk", "disk": {"directory": "/p", "watchForChanges": false}},
      "telemetry": {"disabled": true},
      "engine": {"globals": {"environment": "test", "list": [1, {"a": 2}]}, "defaultScope": ""},
      "schema": {"enforcement": "warn", "cacheSize": 1024},
      "auxData": {"jwt": {"cacheSize": 256, "keySets": [{"id": "a", "local": {"file": "/k"}}]}}
    }"#;
    let config = Config::from_sources(&sources(file, &[], &["engine.onError=cerbos"])).unwrap();
    assert_eq!(config.server.listen, "0.0.0.0:3592");
    assert!(!config.storage.watch);
    assert_eq!(config.engine.on_error, OnError::Cerbos);
    assert_eq!(config.engine.schema_enforcement, SchemaEnforcement::Warn);
    let notices = config.notices.join("\n");
    for key in [
        "server.grpcListenAddr",
        "server.playgroundEnabled",
        "server.adminAPI.adminCredentials",
        "telemetry",
        "schema.cacheSize",
        "auxData.jwt.cacheSize",
    ] {
        assert!(notices.contains(&format!("`{key}`")), "{key} not in\n{notices}");
    }
    assert_eq!(config.notices.len(), 6, "{notices}");
}

#[test]
fn file_values_may_name_environment_variables() {
    let file = "server:\n  httpListenAddr: 127.0.0.1:${PORT:3592}\n";
    for (environment, want) in [(vec![], "127.0.0.1:3592"), (vec![("PORT", "80")], "127.0.0.1:80")] {
        assert_eq!(Config::from_sources(&sources(file, &environment, &[])).unwrap().server.listen, want);
    }
    let text = problems(&sources("storage:\n  disk:\n    directory: ${POLICIES}\n", &[], &[]));
    assert!(
        text.starts_with("c.yaml:3:5: `storage.disk.directory`: the environment variable `POLICIES`"),
        "{text}"
    );
}

#[test]
fn stream_that_strangers_may_push_over_is_told_of() {
    let stream = |name: &str, push: &str| {
        format!("{{name: {name}, issuer: 'https://i', audiences: [a], push: {push}}}")
    };
    let named =
        [stream("open", "{}"), stream("secret", "{authorization: x}"), stream("named", "{caller: idp}")];
    let text = format!("signals: {{streams: [{}]}}", named.join(", "));
    let notices = Config::from_sources(&sources(&text, &[], &[])).unwrap().notices;
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("`maxRate` of `open`"), "{notices:?}");
}

#[test]
fn variables_that_others_set_are_left_alone() {
    let environment =
        [("PROCURA_PORT", "tcp://10.0.0.1:3592"), ("PROCURA_LOG_LEVEL", "debug"), ("PATH", "/bin")];
    let config = Config::from_sources(&sources("", &environment, &[])).unwrap();
    assert_eq!(
        config.notices,
        ["environment: `PROCURA_LOG_LEVEL` sets nothing; did you mean `PROCURA_LOG__LEVEL`?"]
    );
}

#[test]
fn secrets_are_not_shown() {
    let hidden = Setting { key: "store.password", value: "x".into(), origin: Origin::Default };
    assert_eq!(hidden.shown(), "(not shown)");
    let value = r#"[{"id":"a","local":{"data":"k","pem":true}}]"#.into();
    let keys = Setting { key: "auxData.jwt.keySets", value, origin: Origin::Default };
    assert_eq!(keys.shown(), r#"[{"id":"a","local":{"data":"(not shown)","pem":true}}]"#);
    let value = r#"[{"http":{"headers":{"authorization":"k"},"url":"https://a/b"},"name":"a"}]"#.into();
    let ship = Setting { key: "audit.ship", value, origin: Origin::Default };
    let shown = r#"[{"http":{"headers":"(not shown)","url":"https://a/b"},"name":"a"}]"#;
    assert_eq!(ship.shown(), shown);
    assert!(!format!("{ship:?} {keys:?}").contains("\"k\""), "{ship:?} {keys:?}");
    let value = r#"[{"id":"a","remote":{"url":"https://u:word@issuer/keys?code=word"}}]"#.into();
    let remote = Setting { key: "auxData.jwt.keySets", value, origin: Origin::Default };
    let shown = r#"[{"id":"a","remote":{"url":"https://(not shown)@issuer/keys?(not shown)"}}]"#;
    assert_eq!(remote.shown(), shown);
    let open = Setting { key: "log.level", value: "x".into(), origin: Origin::Default };
    assert_eq!(open.shown(), "x");
}

#[test]
fn unreadable_files_say_why() {
    let missing = read_file(Path::new("/nonexistent/c.yaml")).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read `/nonexistent/c.yaml`: "), "{missing}");
}

#[test]
fn environment_is_a_map_so_its_order_is_irrelevant() {
    let one = sources("", &[("PROCURA_LOG__LEVEL", "warn"), ("PROCURA_AUDIT__ENABLED", "false")], &[]);
    let two = Sources {
        environment: BTreeMap::from_iter(one.environment.clone().into_iter().rev()),
        ..one.clone()
    };
    let (one, two) = (Config::from_sources(&one).unwrap(), Config::from_sources(&two).unwrap());
    assert_eq!(one.settings, two.settings);
}

#[test]
fn tls_without_effect_is_refused_and_what_it_asks_of_clients_follows_from_their_authorities() {
    let (cert, key) = ("server.tls.cert=/c", "server.tls.key=/k");
    let (ca, crl) = ("server.tls.caCert=/a", "server.tls.crl=/r");
    let rules = "callers.certificates=[{match: '**', roles: [decide]}]";
    for (set, want) in [
        (&[key][..], "`server.tls.key` has no effect without `server.tls.cert`"),
        (&[ca], "`server.tls.caCert` has no effect without `server.tls.cert`"),
        (&[cert, key, crl], "`server.tls.crl` has no effect without `server.tls.caCert`"),
        (&[cert, key, rules], "`callers.certificates` has no effect without `server.tls.caCert`"),
        (&[cert, key, "server.tls.clientAuth=required"], "needs `server.tls.caCert`"),
        (
            &[cert, key, ca, "server.tls.clientAuth=none"],
            "has no effect where `server.tls.clientAuth` is `none`",
        ),
        (
            &[cert, key, ca, "server.tls.clientAuth=yes"],
            "must be `auto` or `none` or `optional` or `required`",
        ),
        (&[cert, key, "server.tls.watchInterval=2h"], "must be a duration from 100ms"),
        (&[cert, key, ca, "callers.certificates=[{match: ''}]"], "[0].match` must not be empty"),
        (&[cert, key, ca, "callers.certificates=[{match: a, roles: ['']}]"], "[0].roles` must not hold"),
        (
            &[cert, key, ca, "callers.certificates=[{match: a, roles: [local]}]"],
            "[0].roles` must not hold `local`",
        ),
        (
            &[cert, key, ca, "callers.certificates=[{match: a, tenants: []}]"],
            "[0].tenants` must name a tenant",
        ),
        (&[cert, key, ca, "callers.certificates=[{match: a, tenants: [b.c]}]"], "`b.c` is no tenant"),
        (&[cert, key, ca, "callers.certificates=[{match: a, role: b}]"], "unknown field `role`"),
    ] {
        let text = problems(&sources("", &[], set));
        assert!(text.contains(want), "{set:?}: {text}");
    }
    let tls = |set: &[&str]| Config::from_sources(&sources("", &[], set)).unwrap().server.tls;
    assert_eq!(tls(&[]), None);
    for (set, asks, required) in [
        (&[cert, key][..], false, false),
        (&[cert, key, ca], true, false),
        (&[cert, key, ca, crl, rules, "server.tls.clientAuth=required"], true, true),
    ] {
        let tls = tls(set).unwrap();
        assert_eq!((tls.authorities.is_some(), tls.required), (asks, required), "{set:?}");
        assert_eq!(tls.watch_interval, Some(Duration::from_secs(1)));
    }
    assert_eq!(tls(&[cert, key, "server.tls.watchInterval=0s"]).unwrap().watch_interval, None);
}
