//! Encrypted connections: which certificates are believed, for how long, and what becomes of everybody else.

use std::time::{Duration, Instant};

use procura::pdp::WantedQuarantine;
use procura::ports::Suspect;
use procura::tls::{CertificateRule, Files, Settings as TlsSettings, Tls};
use procura_testkit::certificates::{Authority, Credential, Leaf, TlsClient};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

const BILLING: &str = "spiffe://acme.org/ns/prod/billing";

/// How long is waited for what takes a moment.
const PATIENCE: Duration = Duration::from_secs(20);

/// An encrypting server with its authorities, whose files can be exchanged.
pub(super) struct Site {
    files: TempDir,
    /// Vouches for the server.
    house: Authority,
    /// Vouches for clients.
    clients: Authority,
    tls: Arc<Tls>,
    metrics: Arc<Metrics>,
    pub(super) server: TestServer,
}

impl Site {
    pub(super) async fn start() -> Self {
        Self::with(true, false, Capacity::default()).await
    }

    async fn with(required: bool, with_revocations: bool, capacity: Capacity) -> Self {
        let files = TempDir::new("tls");
        let (house, clients) = (Authority::new("house"), Authority::new("clients"));
        put(&files, "server", &house.issue(&Leaf::server()));
        files.write("clients.pem", clients.pem());
        files.write("clients.crl", clients.revoke(&[], 3600));
        let rule = CertificateRule {
            names: "spiffe://acme.org/ns/prod/*".to_owned(),
            roles: ["decide", "audit", "facts", "changes", "signals"].map(str::to_owned).to_vec(),
            tenants: Some(vec!["acme".to_owned()]),
            agent: true,
        };
        let others = CertificateRule {
            names: "**".to_owned(),
            roles: ["decide", "audit", "metrics"].map(str::to_owned).to_vec(),
            ..CertificateRule::default()
        };
        let at = |name: &str| files.path().join(name);
        let settings = TlsSettings {
            files: Files {
                certificate: at("server.pem"),
                key: at("server.key"),
                authorities: Some(at("clients.pem")),
                revocations: with_revocations.then(|| at("clients.crl")),
            },
            required,
            rules: vec![rule, others],
        };
        let metrics = Arc::new(Metrics::new().unwrap());
        let tls = Tls::load(settings, Arc::clone(&metrics)).unwrap();
        tokio::spawn(Arc::clone(&tls).watch(Some(Duration::from_millis(20))));
        let encryption: Arc<dyn Encryption> = tls.clone();
        let server =
            TestServer::with(Setup { capacity, encryption: Some(encryption), ..Setup::default() }).await;
        Self { files, house, clients, tls, metrics, server }
    }

    fn client(&self, credential: Option<&Credential>) -> TlsClient {
        TlsClient::new(&self.house.pem(), credential)
    }

    pub(super) fn workload(&self) -> TlsClient {
        self.client(Some(&self.clients.issue(&Leaf::workload(BILLING))))
    }

    /// A client that is bound to no tenant.
    pub(super) fn operator(&self) -> TlsClient {
        self.client(Some(&self.clients.issue(&Leaf::workload("spiffe://acme.org/operations"))))
    }

    pub(super) async fn connect(&self, client: &TlsClient) -> anyhow::Result<Connection> {
        Connection::open_tls(self.server.address, client).await
    }

    /// What becomes of one request: the status of the answer, if there is one.
    async fn ask(&self, client: &TlsClient) -> anyhow::Result<u16> {
        ask(&mut self.connect(client).await?).await
    }

    /// Waits until the live certificates are those of so many changes.
    async fn reloads(&self, outcome: &str, count: u64) {
        let line = format!("procura_tls_reloads_total{{outcome=\"{outcome}\"}} {count}");
        until(&line, async || self.metrics.render().lines().any(|found| found == line)).await;
    }
}

fn put(files: &TempDir, name: &str, credential: &Credential) {
    files.write(&format!("{name}.key"), &credential.key);
    files.write(&format!("{name}.pem"), &credential.certificate);
}

async fn ask(connection: &mut Connection) -> anyhow::Result<u16> {
    let body = good_check().to_string();
    Ok(connection.post_json(CHECK, body.as_bytes()).await?.status)
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_certificates_of_the_authority_that_are_good_now_and_name_someone_are_believed() {
    let site = Site::with(true, true, Capacity::default()).await;
    let below = site.clients.below("below");
    let workload = Leaf::workload(BILLING);
    let two = vec![BILLING.to_owned(), "urn:x".to_owned()];
    let under = below.issue(&workload);
    let with_between = Credential { certificate: under.certificate.clone() + &below.pem(), ..under.clone() };
    let cases = [
        ("SPIFFE id", Some(site.clients.issue(&workload)), true),
        ("DNS name", Some(site.clients.issue(&Leaf { for_clients: true, ..Leaf::server() })), true),
        ("common name", Some(site.clients.issue(&Leaf::client("billing"))), true),
        ("no certificate", None, false),
        ("no name", Some(site.clients.issue(&Leaf::client(""))), false),
        ("unknown authority", Some(Authority::new("clients").issue(&workload)), false),
        ("authority of the server", Some(site.house.issue(&workload)), false),
        ("expired", Some(site.clients.issue(&Leaf { ends: -1, ..workload.clone() })), false),
        ("not yet valid", Some(site.clients.issue(&Leaf { begins: 3600, ..workload.clone() })), false),
        ("for servers", Some(site.clients.issue(&Leaf::server())), false),
        ("malformed SPIFFE id", Some(site.clients.issue(&Leaf::workload("spiffe://acme.org"))), false),
        ("two URIs", Some(site.clients.issue(&Leaf { uris: two, ..workload.clone() })), false),
        ("chain that is not complete", Some(under), false),
        // Its authority has no revocation list.
        ("status that is unknown", Some(with_between), false),
    ];
    for (what, credential, expected) in &cases {
        for client in [
            TlsClient::new(&site.house.pem(), credential.as_ref()),
            TlsClient::tls12(&site.house.pem(), credential.as_ref()),
        ] {
            let outcome = site.ask(&client).await;
            assert_eq!(matches!(outcome, Ok(200)), *expected, "{what}: {outcome:?}");
            assert!(*expected || outcome.is_err(), "{what}: the handshake must not come to a connection");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_certificates_are_optional_a_bad_one_is_refused_all_the_same() {
    let site = Site::with(false, false, Capacity::default()).await;
    assert_eq!(site.ask(&site.client(None)).await.unwrap(), 200);
    assert_eq!(site.ask(&site.workload()).await.unwrap(), 200);
    let between = site.clients.below("below");
    let mut under = between.issue(&Leaf::workload(BILLING));
    under.certificate.push_str(&between.pem());
    assert_eq!(site.ask(&site.client(Some(&under))).await.unwrap(), 200);
    for stranger in [
        Authority::new("clients").issue(&Leaf::workload(BILLING)),
        site.clients.issue(&Leaf { ends: -1, ..Leaf::workload(BILLING) }),
    ] {
        assert!(site.ask(&site.client(Some(&stranger))).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_believes_the_server_only_with_its_own_kind_of_certificate() {
    let site = Site::start().await;
    let workload = site.clients.issue(&Leaf::workload(BILLING));
    let elsewhere = TlsClient::new(&Authority::new("house").pem(), Some(&workload));
    assert!(site.connect(&elsewhere).await.is_err());
    let mut leaf = Leaf::server();
    (leaf.for_servers, leaf.for_clients) = (false, true);
    put(&site.files, "server", &site.house.issue(&leaf));
    site.reloads("succeeded", 2).await;
    assert!(site.connect(&site.client(Some(&workload))).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn record_names_the_holder_of_the_certificate() {
    let site = Site::start().await;
    let mut connection = site.connect(&site.workload()).await.unwrap();
    let mut check = good_check();
    check["resources"][0]["resource"]["scope"] = json!("acme");
    let answer = connection.post_json(CHECK, check.to_string().as_bytes()).await.unwrap();
    let id = answer.json().unwrap()["cerbosCallId"].as_str().unwrap().to_owned();
    let found = connection.get(&format!("/api/decisions/{id}")).await.unwrap().json().unwrap();
    let caller = &found["record"]["call"]["caller"];
    assert_eq!(
        (&caller["name"], &caller["method"], &caller["issuer"]),
        (&json!(BILLING), &json!("certificate"), &json!("acme.org")),
        "{found}"
    );
    assert_eq!(caller["tenants"], json!(["acme"]));
    assert_eq!(caller["key"].as_str().unwrap().len(), 64);
}

/// Asks over `connection` until it is told that its certificate is not good any more.
async fn ends_with_401(mut connection: Connection) {
    let began = Instant::now();
    let last = loop {
        let answer = connection.get("/api/decisions").await.unwrap();
        if answer.status != 200 {
            break answer;
        }
        assert!(began.elapsed() < PATIENCE, "the certificate is still believed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!((last.status, last.header("connection")), (401, Some("close")));
    assert_eq!(last.json().unwrap()["code"], "unauthenticated");
    assert!(connection.get("/healthz").await.is_err(), "the connection goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_that_expires_ends_lasting_connections_and_their_sessions() {
    let site = Site::start().await;
    let brief = site.clients.issue(&Leaf { ends: 2, ..Leaf::workload(BILLING) });
    let client = site.client(Some(&brief));
    let mut connection = site.connect(&client).await.unwrap();
    assert_eq!(ask(&mut connection).await.unwrap(), 200);
    ends_with_401(connection).await;
    // The ticket of the session outlives the certificate, but gives it no rights.
    assert_eq!(site.ask(&client).await.unwrap(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn authority_that_is_removed_ends_lasting_connections_and_their_sessions() {
    let site = Site::start().await;
    let (client, successor) = (site.workload(), Authority::new("successor"));
    let mut connection = site.connect(&client).await.unwrap();
    assert_eq!(ask(&mut connection).await.unwrap(), 200);

    site.files.write("clients.pem", site.clients.pem() + &successor.pem());
    site.reloads("succeeded", 2).await;
    let new = site.client(Some(&successor.issue(&Leaf::workload(BILLING))));
    assert_eq!(site.ask(&new).await.unwrap(), 200);
    assert_eq!(ask(&mut connection).await.unwrap(), 200, "both are believed");

    site.files.write("clients.pem", successor.pem());
    site.reloads("succeeded", 3).await;
    ends_with_401(connection).await;
    assert!(site.ask(&client).await.is_err(), "its ticket is still good");
    assert_eq!(site.ask(&new).await.unwrap(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_certificate_ends_lasting_connections_and_makes_no_new_ones() {
    let site = Site::with(true, true, Capacity::default()).await;
    let revoked = site.clients.issue(&Leaf::workload(BILLING));
    let client = site.client(Some(&revoked));
    let connection = site.connect(&client).await.unwrap();
    site.files.write("clients.crl", site.clients.revoke(&[revoked.serial], 3600));
    ends_with_401(connection).await;
    assert!(site.ask(&client).await.is_err());
    assert_eq!(site.ask(&site.workload()).await.unwrap(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_list_that_is_out_of_date_vouches_for_nobody() {
    let site = Site::with(true, true, Capacity::default()).await;
    site.files.write("clients.crl", site.clients.revoke(&[], 3));
    site.reloads("succeeded", 2).await;
    let client = site.workload();
    let connection = site.connect(&client).await.unwrap();
    ends_with_401(connection).await;
    assert!(site.ask(&site.workload()).await.is_err());
    let problem = site.tls.health().unwrap_err();
    assert!(problem.contains("revocation list is out of date"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_files_never_replace_good_ones_and_everyone_can_see_that_they_do_not() {
    let site = Site::start().await;
    let client = site.workload();
    let good = site.house.issue(&Leaf::server());
    let other = site.house.issue(&Leaf::server());
    let expired = site.house.issue(&Leaf { ends: -1, ..Leaf::server() });
    let early = site.house.issue(&Leaf { begins: 3600, ..Leaf::server() });
    let cases: [(&str, &str, &str, &str); 7] = [
        (&good.certificate, &other.key, &site.clients.pem(), "cannot be used with the key"),
        (&good.certificate, "", &site.clients.pem(), "no private key in PEM is in it"),
        ("", &good.key, &site.clients.pem(), "no certificate in PEM is in it"),
        (&expired.certificate, &expired.key, &site.clients.pem(), "ended at"),
        (&early.certificate, &early.key, &site.clients.pem(), "begins only at"),
        (&good.certificate, &good.key, "", "no certificate in PEM is in it"),
        (
            &good.certificate,
            &good.key,
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "client authority is not valid",
        ),
    ];
    let operator = site.connect(&site.operator()).await.unwrap();
    for (certificate, key, authorities, expected) in cases {
        site.files.write("server.pem", certificate);
        site.files.write("server.key", key);
        site.files.write("clients.pem", authorities);
        until(expected, async || site.tls.health().is_err_and(|why| why.contains(expected))).await;
        assert_eq!(site.ask(&client).await.unwrap(), 200, "{expected}");
    }
    let mut connection = operator;
    let ready = connection.get("/readyz").await.unwrap();
    assert_eq!(ready.status, 200);
    assert!(ready.json().unwrap().to_string().contains("the files are not what is served"));
    let failed = "procura_tls_reloads_total{outcome=\"failed\"} 0";
    assert!(!site.metrics.render().lines().any(|line| line == failed));

    put(&site.files, "server", &good);
    site.files.write("clients.pem", site.clients.pem());
    until("good again", async || site.tls.health().is_ok()).await;
    assert_eq!(ask(&mut connection).await.unwrap(), 200);
    assert_eq!(site.ask(&client).await.unwrap(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_that_is_about_to_end_is_told_in_time() {
    let site = Site::start().await;
    put(&site.files, "server", &site.house.issue(&Leaf { begins: -3600, ends: 300, ..Leaf::server() }));
    until("ends soon", async || site.tls.health().is_err_and(|why| why.contains("ends soon"))).await;
    let mut connection = site.connect(&site.workload()).await.unwrap();
    assert_eq!(connection.get("/readyz").await.unwrap().status, 200);
    put(&site.files, "server", &site.house.issue(&Leaf { begins: -3600, ends: 500, ..Leaf::server() }));
    until("renewed", async || site.tls.health().is_ok()).await;
}

/// What comes back to `said`, until the server closes the connection.
async fn answer_to(address: SocketAddr, said: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(said).await.unwrap();
    let mut answer = Vec::new();
    // What it says last may be lost where it closes with something unread.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_speaks_no_tls_or_an_old_one_is_turned_away() {
    let site = Site::start().await;
    let alert = 21;
    let plain = answer_to(site.server.address, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(plain.is_empty() || plain[0] == alert, "{plain:?}");
    // A greeting of TLS 1.1 with one cipher suite and no extensions.
    let mut hello = vec![3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    let old = [&[22, 3, 1, 0, length + 4, 1, 0, 0, length], &hello[..]].concat();
    let old = answer_to(site.server.address, &old).await;
    assert_eq!(old[..5], [alert, 3, 3, 0, 2], "{old:?}");
    let failed = "procura_tls_handshakes_total{outcome=\"failed\"} 0";
    assert!(site.server_metrics().await.lines().all(|line| line != failed));
}

impl Site {
    async fn server_metrics(&self) -> String {
        let mut connection = self.connect(&self.operator()).await.unwrap();
        String::from_utf8(connection.get("/metrics").await.unwrap().body).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_connect_and_say_nothing_hold_nobody_up_and_are_turned_away() {
    let capacity =
        Capacity { handshakes: 4, handshake_timeout: Duration::from_millis(1500), ..Capacity::default() };
    let site = Site::with(true, false, capacity).await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpStream::connect(site.server.address).await.unwrap());
    }
    let client = site.workload();
    let began = Instant::now();
    assert_eq!(site.ask(&client).await.unwrap(), 200);
    assert!(began.elapsed() < capacity.handshake_timeout, "{:?}", began.elapsed());
    for mut stream in silent {
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.unwrap();
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }
    assert_eq!(site.ask(&client).await.unwrap(), 200);
    let metrics = site.server_metrics().await;
    assert!(metrics.contains("procura_tls_handshakes_total{outcome=\"timed_out\"} 3"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_of_the_server_ends_encrypted_connections_and_handshakes() {
    let mut site = Site::start().await;
    let mut idle = site.connect(&site.workload()).await.unwrap();
    assert_eq!(ask(&mut idle).await.unwrap(), 200);
    let _silent = TcpStream::connect(site.server.address).await.unwrap();
    site.server.stop.take().unwrap().send(()).unwrap();
    tokio::time::timeout(PATIENCE, site.server.served).await.unwrap().unwrap();
    assert!(ask(&mut idle).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_under_quarantine_is_refused_at_the_next_request_of_a_lasting_connection() {
    let site = Site::start().await;
    let client = site.workload();
    let mut connection = site.connect(&client).await.unwrap();
    let answer = connection.get("/api/decisions").await.unwrap();
    assert_eq!(answer.status, 200);
    let id = site.server.decide(&Caller::unknown(None), &["acme"]).await;
    assert_eq!(connection.get(&format!("/api/decisions/{id}")).await.unwrap().status, 200);
    for (issuer, expected) in [("other.org", 200), ("acme.org", 401)] {
        let wanted = WantedQuarantine {
            id: issuer.to_owned(),
            suspect: Suspect { issuer: Some(issuer.to_owned()), ..Suspect::default() },
            since: None,
            reason: "stolen".to_owned(),
        };
        site.server.quarantine.begin(Caller::unknown(None), wanted).await.unwrap();
        assert_eq!(connection.get("/api/decisions").await.unwrap().status, expected, "{issuer}");
    }
    // Nor does a new connection help.
    assert_eq!(site.ask(&client).await.unwrap(), 401);
}
