//! Who is at the other end of a connection.

use std::net::SocketAddr;

use super::admission::Guest;
use super::error::Refusal;
use crate::pdp::Caller;
use crate::ports::ClientCertificate;

/// The other end of one connection: made once for it, asked for every request on it.
pub(super) struct Peer {
    /// Its address.
    pub(super) address: SocketAddr,
    /// As admission sees it.
    pub(super) guest: Guest,
    /// The certificate that it has shown; `None` if it has shown none.
    pub(super) certificate: Option<Box<dyn ClientCertificate>>,
}

impl Peer {
    /// Who sends a request that comes now.
    ///
    /// # Errors
    /// If the certificate of the connection is not good any more.
    pub(super) fn caller(&self) -> Result<Caller, Refusal> {
        let address = Some(self.address);
        let Some(certificate) = &self.certificate else { return Ok(Caller::unknown(address)) };
        let identity = certificate.holder().map_err(|_| Refusal::Unauthenticated { shown: true })?;
        Ok(Caller { identity, address })
    }
}
