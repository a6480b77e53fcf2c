//! `procura serve` with TLS: what it says, what it refuses, what SIGHUP does, and how its health is asked.

use procura_testkit::certificates::{Authority, Credential, Leaf, TlsClient};
use procura_testkit::server::ServerSpec;

use super::serve::says;
use super::*;

fn put(files: &TempDir, name: &str, credential: &Credential) -> (String, String) {
    files.write(&format!("{name}.pem"), &credential.certificate);
    files.write(&format!("{name}.key"), &credential.key);
    let at = |end: &str| text(files.path()).to_owned() + "/" + name + end;
    (at(".pem"), at(".key"))
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_with_tls_follows_sighup_and_tells_its_health() {
    let (files, directory, data) = (TempDir::new("tls"), policies(GOOD), TempDir::new("data"));
    let authority = Authority::new("house");
    let (certificate, key) = put(&files, "server", &authority.issue(&Leaf::server()));
    let (client, client_key) = put(&files, "client", &authority.issue(&Leaf::client("probe")));
    files.write("ca.pem", authority.pem());
    let settings = [
        format!("--set=server.tls.cert={certificate}"),
        format!("--set=server.tls.key={key}"),
        format!("--set=server.tls.caCert={}/ca.pem", text(files.path())),
        "--set=server.tls.clientAuth=required".to_owned(),
        "--set=server.tls.watchInterval=0s".to_owned(),
        "--set=callers.certificates=[{match: '**', roles: [decide, metrics]}]".to_owned(),
    ];
    let mut spec = ServerSpec::new(BINARY, directory.path(), data.path());
    spec.args.extend(settings.clone());
    let mut server = spec.start().await.unwrap();
    says(&server, "listening on https://127.0.0.1:").await;

    let listen = format!("--listen={}", server.address());
    let mut health = vec!["health", &listen];
    health.extend(settings.iter().map(String::as_str));
    expect(&procura(&health), 1, &["no server answers at"]);
    health.extend(["--client-cert", &client, "--client-key", &client_key]);
    expect(&procura(&health), 0, &["ready: https://127.0.0.1:"]);

    // Another authority: whoever believes only that one is told about the exchange by being able to connect.
    let other = Authority::new("other house");
    put(&files, "server", &other.issue(&Leaf::server()));
    let shown = authority.issue(&Leaf::client("probe"));
    let (old, new) =
        (TlsClient::new(&authority.pem(), Some(&shown)), TlsClient::new(&other.pem(), Some(&shown)));
    assert!(server.connect_tls(&old).await.is_ok() && server.connect_tls(&new).await.is_err());
    server.signal("HUP").await.unwrap();
    let began = std::time::Instant::now();
    while server.connect_tls(&new).await.is_err() {
        assert!(began.elapsed() < PATIENCE, "{}", server.output());
    }
    assert!(server.connect_tls(&old).await.is_err());

    files.write("server.key", "");
    server.signal("HUP").await.unwrap();
    says(&server, "tls_reload_failed").await;
    expect(
        &procura(&health),
        0,
        &["degraded: tls: the files are not what is served", "no private key in PEM"],
    );
    assert!(!server.output().contains("PRIVATE KEY"), "{}", server.output());
    server.kill().await.unwrap();
}

#[test]
fn serve_refuses_to_start_with_bad_certificates() {
    let (files, directory, data) = (TempDir::new("tls"), policies(GOOD), TempDir::new("data"));
    let authority = Authority::new("house");
    let (certificate, key) = put(&files, "server", &authority.issue(&Leaf::server()));
    let (other, _) = put(&files, "other", &authority.issue(&Leaf::server()));
    let (expired, expired_key) =
        put(&files, "expired", &authority.issue(&Leaf { ends: -1, ..Leaf::server() }));
    for (certificate, key, expected) in [
        (certificate.as_str(), "/nonexistent", "cannot read `/nonexistent`"),
        (&key, &key, "no certificate in PEM is in it"),
        (&certificate, &certificate, "no private key in PEM is in it"),
        (&other, &key, "it cannot be used with the key in"),
        (&expired, &expired_key, "renew it"),
    ] {
        let said = procura(&[
            "serve",
            &format!("--data-dir={}", text(data.path())),
            &format!("--set=storage.disk.directory={}", text(directory.path())),
            "--listen=127.0.0.1:0",
            &format!("--set=server.tls.cert={certificate}"),
            &format!("--set=server.tls.key={key}"),
        ]);
        expect(&said, 1, &["cannot serve TLS", expected]);
    }
}
