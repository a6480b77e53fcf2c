use super::*;

fn check(json: &str) -> Result<Vec<Destination>, Vec<Problem>> {
    serde_json::from_str::<DestinationList>(json).unwrap().check()
}

#[test]
fn destinations_of_every_kind_are_read_and_have_their_defaults() {
    let destinations = check(
        r#"[{"name": "disk", "file": {"path": "out/log.ndjson"}},
            {"name": "siem-1", "kinds": ["decision", "policy_change"], "batchRecords": 10, "batchBytes": 4096,
             "interval": "0s", "longestPause": "1m",
             "http": {"url": "https://siem/in?x=1", "gzip": true, "timeout": "3s", "caFile": "/ca.pem",
                      "headers": {"Authorization": "Bearer x", "X-Key": {"file": "/run/secrets/key"}}}},
            {"name": "otel", "otlp": {"url": "http://collector:4318/v1/logs", "insecure": {"plainHttp": true},
                                      "resource": {"service.instance.id": "a"}}}]"#,
    )
    .unwrap();
    let [disk, siem, otel] = &destinations[..] else { panic!("{destinations:?}") };
    let file = ShipTarget::File { path: "out/log.ndjson".into(), max_bytes: 100 * MIB, keep: 10 };
    assert_eq!(disk.target, file);
    assert_eq!((disk.batch_records, disk.batch_bytes), (1000, 1024 * 1024));
    assert_eq!((disk.interval, disk.longest_pause), (Duration::from_secs(1), Duration::from_secs(30)));
    assert_eq!((siem.interval, siem.longest_pause), (Duration::ZERO, Duration::from_secs(60)));
    assert_eq!(siem.kinds, ["decision", "policy_change"]);
    let endpoint = Endpoint {
        url: "https://siem/in?x=1".into(),
        headers: vec![
            ("authorization".into(), SecretSource::Text("Bearer x".into())),
            ("x-key".into(), SecretSource::file("/run/secrets/key")),
        ],
        gzip: true,
        timeout: Duration::from_secs(3),
        ca_file: Some("/ca.pem".into()),
    };
    assert_eq!(siem.target, ShipTarget::Http(endpoint));
    assert!(!format!("{siem:?}").contains("Bearer"), "a secret must not be shown: {siem:?}");
    assert!(
        matches!(&otel.target, ShipTarget::Otlp { resource, .. } if resource["service.instance.id"] == "a")
    );
    assert_eq!(check("null"), Ok(vec![]));
}

#[test]
fn wrong_destinations_name_the_member_and_how_to_mend_it() {
    for (entry, member, advice) in [
        (r#"{"name": "A", "file": {"path": "x"}}"#, "[0].name", "lower-case letters"),
        (r#"{"name": "", "file": {"path": "x"}}"#, "[0].name", "lower-case letters"),
        (r#"{"name": "../x", "file": {"path": "x"}}"#, "[0].name", "lower-case letters"),
        (r#"{"name": "a"}"#, "[0]", "exactly one of `file`, `http` and `otlp`"),
        (r#"{"name": "a", "file": {"path": "x"}, "http": {}}"#, "[0]", "exactly one of"),
        (r#"{"name": "a", "file": {"path": "/"}}"#, "[0].file.path", "must be a file"),
        (r#"{"name": "a", "file": {"path": "x", "keep": 0}}"#, "[0].file.keep", "from 1 to 10000, not `0`"),
        (r#"{"name": "a", "file": {"path": "x"}, "interval": "fast"}"#, "[0].interval", "not `fast`"),
        (r#"{"name": "a", "file": {"path": "x"}, "kinds": ["x"]}"#, "[0].kinds", "`policy_change`"),
        (r#"{"name": "a", "http": {}}"#, "[0].http.url", "must be there"),
        (r#"{"name": "a", "otlp": {}}"#, "[0].otlp.url", "must be there"),
        (r#"{"name": "a", "http": {"url": "https://u:p@h/"}}"#, "[0].http.url", "neither user nor password"),
        (r#"{"name": "a", "http": {"url": "http://h/"}}"#, "[0].http.url", "`insecure.plainHttp`"),
        (
            r#"{"name": "a", "http": {"url": "https://h/", "headers": {"Content-Type": "x"}}}"#,
            "[0].http.headers",
            "set by the server itself",
        ),
        (
            r#"{"name": "a", "http": {"url": "https://h/", "headers": {"a b": "x"}}}"#,
            "[0].http.headers",
            "not the name of a header",
        ),
        (
            r#"{"name": "a", "http": {"url": "https://h/", "headers": {"a": "secret\n"}}}"#,
            "[0].http.headers",
            "the value of `a` has characters",
        ),
    ] {
        let problems = check(&format!("[{entry}]")).unwrap_err();
        let found = problems.iter().any(|(at, text)| at == member && text.contains(advice));
        assert!(found, "{entry}: {problems:?}");
        assert!(!format!("{problems:?}").contains("secret"), "{problems:?}");
    }
    let twice = r#"[{"name": "a", "file": {"path": "x"}}, {"name": "a", "file": {"path": "x"}}]"#;
    let at: Vec<String> = check(twice).unwrap_err().into_iter().map(|(at, _)| at).collect();
    assert_eq!(at, ["[1].name", "[1].file.path"]);
    let unknown = serde_json::from_str::<DestinationList>(r#"[{"name": "a", "kafka": {"topic": "t"}}]"#);
    let unknown = unknown.err().unwrap().to_string();
    assert!(
        unknown.contains("unknown field `kafka`, expected one of `name`, `file`, `http`, `otlp`"),
        "{unknown}"
    );
}
