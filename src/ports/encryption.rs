//! Connections that are encrypted, and who shows a certificate at their other end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::Identity;

/// Encrypts the connections of the server.
pub trait Encryption: Send + Sync + 'static {
    /// Shakes hands on `stream`. Takes as long as the other end does: whoever calls it bounds that.
    fn accept(&self, stream: TcpStream) -> Handshake;
    /// How the certificate of the server stands, for people; the error is what somebody should look at.
    fn health(&self) -> Result<String, String>;
}

/// Resolves to the encrypted connection.
pub type Handshake = Pin<Box<dyn Future<Output = io::Result<Encrypted>> + Send>>;

/// A connection after its handshake.
pub struct Encrypted {
    /// What is said on it.
    pub stream: Box<dyn Duplex>,
    /// The certificate that the other end showed; `None` if it showed none.
    pub certificate: Option<Box<dyn ClientCertificate>>,
}

/// What can be read from and written to.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// The certificate that was shown on a connection.
pub trait ClientCertificate: Send + Sync {
    /// Its holder, if the certificate is good at this moment. Called for every request: a certificate that has expired
    /// or was revoked, and one whose authority is trusted no more, is good no more on connections that last either.
    fn holder(&self) -> Result<Arc<Identity>, NotTrusted>;
}

/// A certificate is not trusted, or not any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client certificate is not trusted: {0}")]
pub struct NotTrusted(pub String);
