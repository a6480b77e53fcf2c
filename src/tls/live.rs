//! What handshakes are made with: the certificate of the server, and whom it trusts.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};

use super::files::Contents;
use super::trust::{Grounds, Trust, seconds};
use super::{Settings, TlsError, der};

/// Everything that new connections are made with, and that lasting ones are held against.
#[derive(Debug)]
pub(super) struct Live {
    /// Running number in this process.
    pub(super) generation: u64,
    /// For the next handshake. Tickets of another one are worth nothing to it, so that no session outlives what it was
    /// made with.
    pub(super) config: Arc<ServerConfig>,
    /// Whose client certificates are believed; `None` if clients are asked for none.
    pub(super) trust: Option<Arc<Trust>>,
    /// When the certificate of the server began, in Unix seconds.
    pub(super) begins: i64,
    /// Its last second, in Unix seconds.
    pub(super) ends: i64,
}

impl Live {
    /// What `contents`, read from the files of `settings`, make.
    ///
    /// # Errors
    /// If anything is not as it should be: a certificate that does not belong to its key or is not valid at this instant
    /// either.
    pub(super) fn new(settings: &Settings, contents: &Contents, generation: u64) -> Result<Self, TlsError> {
        let files = &settings.files;
        let provider = Arc::new(default_provider());
        let trust = match &files.authorities {
            None => None,
            Some(path) => {
                let grounds = Grounds {
                    authorities: files.authorities(contents)?,
                    revocations: files.revocations(contents)?,
                    required: settings.required,
                    rules: settings.rules.clone(),
                };
                let trust = Trust::new(grounds, &provider);
                Some(Arc::new(trust.map_err(|advice| TlsError::invalid(path, advice))?))
            }
        };
        let chain = files.chain(contents)?;
        let (begins, ends) = validity(&files.certificate, &chain)?;
        let unusable = |error: rustls::Error| {
            let key = files.key.display();
            TlsError::invalid(
                &files.certificate,
                format!("it cannot be used with the key in `{key}`: {error}"),
            )
        };
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(&[&TLS13, &TLS12]).map_err(unusable)?;
        let builder = match &trust {
            Some(trust) => builder.with_client_cert_verifier(Arc::clone(trust) as _),
            None => builder.with_client_cert_verifier(WebPkiClientVerifier::no_client_auth()),
        };
        let mut config = builder.with_single_cert(chain, files.private_key(contents)?).map_err(unusable)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A session lives in its ticket alone, not in the memory of the server.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = Ticketer::new().map_err(unusable)?;
        config.send_tls13_tickets = 1;
        Ok(Self { generation, config: Arc::new(config), trust, begins, ends })
    }
}

/// When the first certificate of `chain` begins and ends. It must have begun, and not have ended yet.
fn validity(path: &Path, chain: &[CertificateDer<'_>]) -> Result<(i64, i64), TlsError> {
    let now = seconds(UnixTime::now());
    let facts = chain.first().and_then(|certificate| der::facts(certificate));
    let facts = facts.ok_or_else(|| TlsError::invalid(path, "its first certificate cannot be read"))?;
    if now > facts.not_after {
        let ended = shown(facts.not_after);
        return Err(TlsError::invalid(path, format!("its certificate ended at {ended}: renew it")));
    }
    if now < facts.not_before {
        let begins = shown(facts.not_before);
        return Err(TlsError::invalid(path, format!("its certificate begins only at {begins}")));
    }
    Ok((facts.not_before, facts.not_after))
}

/// An instant in Unix seconds, for people.
pub(super) fn shown(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "the end of time".to_owned(), |at| at.to_string())
}
