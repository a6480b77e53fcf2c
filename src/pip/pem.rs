//! Public keys and certificates in PEM.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{self, SectionKind};
use webpki::EndEntityCert;

use super::algorithm::Algorithm;
use super::keys::{Key, KeyError};
use super::signature::Check;

/// The keys in `text`, none of which has a name or says what it is for.
pub(super) fn keys(text: &[u8]) -> Result<Vec<Key>, KeyError> {
    let mut rest = text;
    let mut keys = Vec::new();
    loop {
        let section = pem::from_buf(&mut rest).map_err(|error| KeyError::NotPem(error.to_string()))?;
        match section {
            None => return Ok(keys),
            Some((SectionKind::PublicKey, der)) => keys.push(key(&der)),
            Some((SectionKind::Certificate, der)) => {
                let der = CertificateDer::from(der);
                let certificate = EndEntityCert::try_from(&der)
                    .map_err(|_| KeyError::NotPem("the certificate cannot be read".into()))?;
                keys.push(key(&certificate.subject_public_key_info()));
            }
            Some((SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey, _)) => {
                return Err(KeyError::Private);
            }
            Some(_) => {}
        }
    }
}

/// The one certificate in `text`, in DER.
pub(super) fn certificate(text: &[u8]) -> Option<Vec<u8>> {
    let mut rest = text;
    let first = pem::from_buf(&mut rest).ok()??;
    match (first, pem::from_buf(&mut rest)) {
        ((SectionKind::Certificate, der), Ok(None)) => Some(der),
        _ => None,
    }
}

/// A `SubjectPublicKeyInfo` with every algorithm that it is a key for.
fn key(spki: &[u8]) -> Key {
    let check = |algorithm: &Algorithm| Some((*algorithm, Check::public(*algorithm, spki)?));
    let checks = Algorithm::PUBLIC.iter().filter_map(check).collect();
    Key { id: None, names_algorithm: false, is_for_svids: false, checks }
}
