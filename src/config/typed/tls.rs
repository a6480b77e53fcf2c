//! TLS of the server, and what certificates give to callers.

use std::path::PathBuf;

use super::{MILLISECOND, MINUTE, Reader};
use crate::config::tls::{RuleList, Tls};

const CERTIFICATE: &str = "server.tls.cert";
const KEY: &str = "server.tls.key";
const AUTHORITIES: &str = "server.tls.caCert";
const REVOCATIONS: &str = "server.tls.crl";
const CLIENT_AUTH: &str = "server.tls.clientAuth";
const RULES: &str = "callers.certificates";

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ClientAuth {
    /// Optional where there are authorities, none otherwise.
    Auto,
    None,
    Optional,
    Required,
}

/// Types the keys below `server.tls`, and `callers.certificates`. What would have no effect is refused: whoever wrote it
/// believes that it has.
pub(super) fn tls(reader: &mut Reader) -> Option<Tls> {
    let file = |key: &str| reader.given(key).map(PathBuf::from);
    let (certificate, key) = (file(CERTIFICATE), file(KEY));
    let (authorities, revocations) = (file(AUTHORITIES), file(REVOCATIONS));
    let choices = [
        ("auto", ClientAuth::Auto),
        ("none", ClientAuth::None),
        ("optional", ClientAuth::Optional),
        ("required", ClientAuth::Required),
    ];
    let client_auth = reader.choice(CLIENT_AUTH, &choices).unwrap_or(ClientAuth::Required);
    let watch_interval = reader.age("server.tls.watchInterval", 100 * MILLISECOND..=60 * MINUTE);
    let rules = reader.checked(RULES, RuleList::check);

    let asks = matches!(client_auth, ClientAuth::Optional | ClientAuth::Required);
    match &authorities {
        Some(_) if client_auth == ClientAuth::None => {
            reader.reject(
                AUTHORITIES,
                "has no effect where `server.tls.clientAuth` is `none`: remove one of them",
            );
        }
        None if asks => {
            reader.reject(CLIENT_AUTH, "needs `server.tls.caCert`: whose certificates are believed?");
        }
        None if revocations.is_some() => {
            reader.reject(REVOCATIONS, "has no effect without `server.tls.caCert`");
        }
        None if !rules.is_empty() => {
            reader.reject(RULES, "has no effect without `server.tls.caCert`");
        }
        _ => {}
    }
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Tls {
            certificate,
            key,
            authorities,
            revocations,
            required: client_auth == ClientAuth::Required,
            watch_interval,
            rules,
        }),
        (Some(_), None) => missing(reader, CERTIFICATE, KEY),
        (None, Some(_)) => missing(reader, KEY, CERTIFICATE),
        (None, None) if authorities.is_some() => missing(reader, AUTHORITIES, CERTIFICATE),
        (None, None) => None,
    }
}

fn missing(reader: &mut Reader, key: &str, other: &str) -> Option<Tls> {
    reader.reject(key, format_args!("has no effect without `{other}`"));
    None
}
