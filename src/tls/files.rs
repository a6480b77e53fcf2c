//! The files that certificates, keys and revocation lists are in.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use sha2::{Digest, Sha256};

use super::TlsError;

/// Largest file: a revocation list of some hundred thousand certificates.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Where everything is. Links are followed each time a file is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The certificate of the server, with those between it and its authority, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
    /// The authorities whose client certificates are believed, in PEM; `None` if clients are asked for none.
    pub authorities: Option<PathBuf>,
    /// The revocation lists of those authorities, in PEM; `None` if nothing is ever revoked.
    pub revocations: Option<PathBuf>,
}

/// What was in the files.
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authorities: Option<Vec<u8>>,
    revocations: Option<Vec<u8>>,
}

/// The same for contents that are the same.
pub(super) type Print = [u8; 32];

impl Files {
    /// What is in the files now.
    pub(super) fn read(&self) -> Result<Contents, TlsError> {
        let optional = |path: &Option<PathBuf>| path.as_deref().map(read).transpose();
        Ok(Contents {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
            authorities: optional(&self.authorities)?,
            revocations: optional(&self.revocations)?,
        })
    }

    /// The chain of the server, its own certificate first.
    pub(super) fn chain(&self, contents: &Contents) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        filled(&self.certificate, "certificate", CertificateDer::pem_slice_iter(&contents.certificate))
    }

    /// The private key of the server.
    pub(super) fn private_key(&self, contents: &Contents) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(&contents.key).map_err(|error| {
            let advice = match error {
                pem::Error::NoItemsFound => {
                    "no private key in PEM is in it, or only an encrypted one".to_owned()
                }
                error => error.to_string(),
            };
            TlsError::invalid(&self.key, advice)
        })
    }

    /// The authorities of clients; none if no file of them is configured.
    pub(super) fn authorities(&self, contents: &Contents) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        match (&self.authorities, &contents.authorities) {
            (Some(path), Some(text)) => filled(path, "certificate", CertificateDer::pem_slice_iter(text)),
            _ => Ok(Vec::new()),
        }
    }

    /// The revocation lists; none if no file of them is configured.
    pub(super) fn revocations(
        &self,
        contents: &Contents,
    ) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
        match (&self.revocations, &contents.revocations) {
            (Some(path), Some(text)) => {
                filled(path, "revocation list", CertificateRevocationListDer::pem_slice_iter(text))
            }
            _ => Ok(Vec::new()),
        }
    }
}

impl Contents {
    /// The print of these contents.
    pub(super) fn print(&self) -> Print {
        let parts =
            [Some(&self.certificate), Some(&self.key), self.authorities.as_ref(), self.revocations.as_ref()];
        let mut hash = Sha256::new();
        for part in parts.into_iter().flatten() {
            hash.update(Sha256::digest(part));
        }
        hash.finalize().into()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |cause| TlsError::Read { path: path.to_owned(), cause };
    let mut content = Vec::new();
    let opened = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut content));
    match opened {
        Ok(read) if u64::try_from(read).is_ok_and(|read| read <= MAX_BYTES) => Ok(content),
        Ok(_) => Err(unreadable(io::ErrorKind::FileTooLarge.into())),
        Err(error) => Err(unreadable(error)),
    }
}

/// All of `items`, of which there must be one.
fn filled<T>(
    path: &Path,
    what: &str,
    items: impl Iterator<Item = Result<T, pem::Error>>,
) -> Result<Vec<T>, TlsError> {
    let items: Vec<T> =
        items.collect::<Result<_, _>>().map_err(|error| TlsError::invalid(path, error.to_string()))?;
    if items.is_empty() {
        return Err(TlsError::invalid(path, format!("no {what} in PEM is in it")));
    }
    Ok(items)
}
