//! The transmitter itself, without a server: what it says of itself on the wire, and that what is forged is wrong.

use std::collections::BTreeSet;

use easyssf_test::TestTransmitter;
use easyssf_test::subjects::iss_sub;
use procura_interop::forge;
use procura_interop::http::ask;
use procura_interop::transmitter::Transmitter;
use serde_json::json;

const TOKEN: &str = "Bearer transmitter-access-token";

fn path_of(url: &str) -> (std::net::SocketAddr, String) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    (host.parse().unwrap(), format!("/{path}"))
}

#[test]
fn metadata_keys_and_streams_are_served_over_the_socket_it_names() {
    let transmitter = Transmitter::start();
    let (host, realm) = path_of(&transmitter.issuer());
    let metadata =
        ask(host, "GET", &format!("/.well-known/ssf-configuration{realm}"), &[], b"").unwrap().json();
    assert_eq!(metadata["issuer"], json!(transmitter.issuer()));

    let (host, path) = path_of(metadata["jwks_uri"].as_str().unwrap());
    let keys = ask(host, "GET", &path, &[], b"").unwrap().json();
    assert_eq!(keys["keys"][0]["kid"], json!(transmitter.inner().key().key_id()));

    let (host, path) = path_of(metadata["configuration_endpoint"].as_str().unwrap());
    let wanted = json!({"delivery": {"method": "urn:ietf:rfc:8936"}}).to_string();
    assert_eq!(ask(host, "POST", &path, &[], wanted.as_bytes()).unwrap().status(), 401);
    let made = ask(host, "POST", &path, &[("authorization", TOKEN)], wanted.as_bytes()).unwrap();
    assert_eq!(made.status(), 201);
    assert_eq!(made.json()["iss"], json!(transmitter.issuer()));
    assert_eq!(made.json()["delivery"]["endpoint_url"], json!(transmitter.poll_uri()));
}

#[test]
fn what_is_queued_is_polled_until_it_is_acknowledged() {
    let transmitter = Transmitter::start();
    let claims = transmitter.claims("CaepSessionRevoked", iss_sub("https://a", "alice"), json!({}), "us");
    transmitter.inner().queue_set(&transmitter.sign(&claims));
    let (host, path) = path_of(&transmitter.poll_uri());
    let poll =
        |body: &str| ask(host, "POST", &path, &[("authorization", TOKEN)], body.as_bytes()).unwrap().json();
    let jti = claims["jti"].as_str().unwrap();
    for _ in 0..2 {
        let set = poll("{}")["sets"][jti].as_str().unwrap().to_owned();
        assert_eq!(TestTransmitter::claims_of(&set), claims);
    }
    let acknowledging = json!({"ack": [jti], "returnImmediately": true}).to_string();
    assert_eq!(poll(&acknowledging)["sets"], json!({}));
    assert_eq!(transmitter.inner().acknowledged_sets(), [jti]);
}

#[test]
fn every_forged_set_is_another_and_none_is_the_good_one() {
    let transmitter = Transmitter::start();
    let good = transmitter.claims("CaepSessionRevoked", iss_sub("https://a", "alice"), json!({}), "us");
    let forged = forge::all(&transmitter, &good);
    let names: BTreeSet<&str> = forged.iter().map(|forged| forged.what).collect();
    assert_eq!(names.len(), forged.len());
    let signed = transmitter.sign(&good);
    assert!(forged.len() > 30 && forged.iter().all(|forged| forged.set != signed));
}
