//! Which client certificates are believed, and for how long.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};

use super::der;
use super::identity::{CertificateRule, holder};
use crate::ports::Identity;

/// The authorities of clients, what they have revoked, and what the holders of their certificates are given.
#[derive(Debug)]
pub(super) struct Trust {
    chains: Arc<dyn ClientCertVerifier>,
    rules: Vec<CertificateRule>,
    /// When each revocation list is out of date, in Unix seconds.
    lists_end: Vec<i64>,
}

/// A certificate that is believed.
#[derive(Clone, Debug)]
pub(super) struct Admitted {
    /// Its holder.
    pub(super) identity: Arc<Identity>,
    /// The first instant, in Unix seconds, at which something that this rests on may have ended.
    pub(super) until: i64,
}

/// What trust is made of.
pub(super) struct Grounds {
    /// The authorities.
    pub(super) authorities: Vec<CertificateDer<'static>>,
    /// Their revocation lists; if there is one, every authority must have one that is up to date.
    pub(super) revocations: Vec<CertificateRevocationListDer<'static>>,
    /// Whether clients without a certificate are turned away.
    pub(super) required: bool,
    /// What holders are given.
    pub(super) rules: Vec<CertificateRule>,
}

impl Trust {
    /// Trust on these grounds; the error says what is wrong with them.
    pub(super) fn new(grounds: Grounds, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let Grounds { authorities, revocations, required, rules } = grounds;
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority).map_err(|error| format!("a client authority is not valid: {error}"))?;
        }
        let ends = revocations.iter().map(|list| der::next_update(list));
        let lists_end = ends.collect::<Option<Vec<_>>>();
        let lists_end = lists_end.ok_or("a revocation list does not say when the next one comes")?;
        let chains = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .with_crls(revocations)
            .enforce_revocation_expiration();
        let chains = if required { chains } else { chains.allow_unauthenticated() };
        let chains =
            chains.build().map_err(|error| format!("client certificates cannot be verified: {error}"))?;
        Ok(Self { chains, rules, lists_end })
    }

    /// The holder of the certificate at the head of `chain`, if it is good at the instant `now`.
    pub(super) fn admit(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<Admitted, Error> {
        let (head, between) = chain.split_first().ok_or(Error::NoCertificatesPresented)?;
        self.chains.verify_client_cert(head, between, now)?;
        self.identify(chain, now)
    }

    /// The same of a certificate that is known to be good.
    pub(super) fn identify(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<Admitted, Error> {
        let head = chain.first().ok_or(Error::NoCertificatesPresented)?;
        let facts = der::facts(head).ok_or(CertificateError::BadEncoding)?;
        let identity = holder(head, &facts, &self.rules).map_err(|why| Error::General(why.to_owned()))?;
        let now = seconds(now);
        // Whether a certificate that ends matters to the chain is found out when it has ended.
        let ends = chain.iter().filter_map(|one| Some(der::facts(one)?.not_after.saturating_add(1)));
        let until = ends.chain(self.lists_end.iter().copied()).filter(|end| *end > now).min();
        Ok(Admitted { identity: Arc::new(identity), until: until.unwrap_or(now) })
    }

    /// When the first of the revocation lists is out of date, in Unix seconds.
    pub(super) fn lists_end(&self) -> Option<i64> {
        self.lists_end.iter().copied().min()
    }
}

/// An instant in Unix seconds.
pub(super) fn seconds(instant: UnixTime) -> i64 {
    i64::try_from(instant.as_secs()).unwrap_or(i64::MAX)
}

impl ClientCertVerifier for Trust {
    fn offer_client_auth(&self) -> bool {
        self.chains.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.chains.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chains.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chains.verify_client_cert(end_entity, intermediates, now)?;
        // A certificate that names nobody ends the handshake.
        self.identify(std::slice::from_ref(end_entity), now).map_err(|error| match error {
            Error::General(_) => CertificateError::ApplicationVerificationFailure.into(),
            error => error,
        })?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}
