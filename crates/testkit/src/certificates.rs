//! Certificates made as they are needed: authorities, what they issue and revoke, and clients that show it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber, date_time_ymd,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};

/// An authority that issues certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The certificate, in PEM, followed by those between it and its authority.
    pub certificate: String,
    /// Its private key, in PEM.
    pub key: String,
    /// Its serial number.
    pub serial: u64,
}

/// What a certificate says.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Common name; empty for none.
    pub common_name: String,
    /// DNS names.
    pub dns_names: Vec<String>,
    /// URIs.
    pub uris: Vec<String>,
    /// Seconds from now at which it begins.
    pub begins: i64,
    /// Seconds from now at which it ends.
    pub ends: i64,
    /// Whether a server may show it.
    pub for_servers: bool,
    /// Whether a client may show it.
    pub for_clients: bool,
}

impl Leaf {
    /// The certificate of a server on this machine, good for a day.
    #[must_use]
    pub fn server() -> Self {
        Self {
            dns_names: vec!["localhost".to_owned()],
            for_servers: true,
            for_clients: false,
            ..Self::client("")
        }
    }

    /// The certificate of a client with this common name alone, good for a day.
    #[must_use]
    pub fn client(common_name: &str) -> Self {
        Self {
            common_name: common_name.to_owned(),
            dns_names: Vec::new(),
            uris: Vec::new(),
            begins: -3600,
            ends: 24 * 3600,
            for_servers: false,
            for_clients: true,
        }
    }

    /// The certificate of a client with this SPIFFE id, good for a day.
    #[must_use]
    pub fn workload(id: &str) -> Self {
        Self { uris: vec![id.to_owned()], ..Self::client("") }
    }
}

impl Authority {
    /// An authority that signs its own certificate.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(CertifiedIssuer::self_signed(authority(name), KeyPair::generate().unwrap()).unwrap())
    }

    /// An authority below this one.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        Self(CertifiedIssuer::signed_by(authority(name), KeyPair::generate().unwrap(), &self.0).unwrap())
    }

    /// Its certificate, in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate that says what `leaf` does, with a key of its own.
    #[must_use]
    pub fn issue(&self, leaf: &Leaf) -> Credential {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from(serial));
        params.distinguished_name = name(&leaf.common_name);
        let dns_names = leaf.dns_names.iter().map(|name| SanType::DnsName(name.as_str().try_into().unwrap()));
        let uris = leaf.uris.iter().map(|uri| SanType::URI(uri.as_str().try_into().unwrap()));
        params.subject_alt_names = dns_names.chain(uris).collect();
        let epoch = date_time_ymd(1970, 1, 1);
        (params.not_before, params.not_after) =
            (epoch + since_epoch(leaf.begins), epoch + since_epoch(leaf.ends));
        let usages = [
            (leaf.for_servers, ExtendedKeyUsagePurpose::ServerAuth),
            (leaf.for_clients, ExtendedKeyUsagePurpose::ClientAuth),
        ];
        params.extended_key_usages =
            usages.into_iter().filter(|(may, _)| *may).map(|(_, usage)| usage).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        Credential { certificate, key: key.serialize_pem(), serial }
    }

    /// A list that revokes the certificates with these serial numbers, in PEM, good for `seconds`.
    #[must_use]
    pub fn revoke(&self, serials: &[u64], seconds: i64) -> String {
        let epoch = date_time_ymd(1970, 1, 1);
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: epoch + since_epoch(-60),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: epoch + since_epoch(-60),
            next_update: epoch + since_epoch(seconds),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.0).unwrap().pem().unwrap()
    }
}

fn authority(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if !common_name.is_empty() {
        name.push(DnType::CommonName, common_name);
    }
    name
}

/// From 1970 to an instant that is so many seconds from now.
fn since_epoch(seconds_from_now: i64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Duration::from_secs(now.saturating_add_signed(seconds_from_now))
}

/// How a client speaks TLS.
#[derive(Clone)]
pub struct TlsClient(TlsConnector);

impl TlsClient {
    /// A client that believes servers of `authority`, in PEM, and shows `credential` if it has one. It speaks TLS 1.3
    /// and resumes sessions.
    ///
    /// # Panics
    /// If something of it is not valid.
    #[must_use]
    pub fn new(authority: &str, credential: Option<&Credential>) -> Self {
        Self::speaking(&version::TLS13, authority, credential)
    }

    /// The same with TLS 1.2 alone.
    ///
    /// # Panics
    /// If something of it is not valid.
    #[must_use]
    pub fn tls12(authority: &str, credential: Option<&Credential>) -> Self {
        Self::speaking(&version::TLS12, authority, credential)
    }

    fn speaking(
        version: &'static SupportedProtocolVersion,
        authority: &str,
        credential: Option<&Credential>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_protocol_versions(&[version]).unwrap().with_root_certificates(roots);
        let config = match credential {
            None => builder.with_no_client_auth(),
            Some(Credential { certificate, key, .. }) => {
                let chain = CertificateDer::pem_slice_iter(certificate.as_bytes());
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain.map(Result::unwrap).collect(), key).unwrap()
            }
        };
        Self(TlsConnector::from(Arc::new(config)))
    }

    /// Shakes hands with a server on this machine over `stream`.
    pub async fn shake(&self, stream: TcpStream) -> anyhow::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from("localhost").context("no name of a server")?;
        Ok(self.0.connect(name, stream).await?)
    }
}
