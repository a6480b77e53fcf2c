//! Connections: accepted until told to stop, then finished.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::sleep;

use super::beside::{First, beside};
use super::connections::{Connections, Line};
use super::edge::Edge;
use super::handshake::Handshakes;
use super::impatient::Impatient;
use super::{Capacity, Services};
use crate::ports::{ClientCertificate, Encrypted};
use crate::telemetry::Shed;
use crate::telemetry::events::{AcceptFailed, RequestShed};

/// Largest head of a request, and most bytes of it buffered.
const HEAD_BYTES: usize = 64 * 1024;

/// Pause after a failure to accept, such as too many open files: long enough not to spin or to flood the log, short
/// enough not to be felt.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `services` on `listener` within `capacity` until `shutdown` resolves; then accepts nothing more, finishes the
/// requests in flight and returns. Whoever calls it bounds how long that may take.
pub async fn serve(
    listener: TcpListener,
    services: Services,
    capacity: Capacity,
    shutdown: impl Future<Output = ()>,
) {
    let connections = Connections::new(&capacity);
    let metrics = Arc::clone(&services.metrics);
    let (stop, stopped) = watch::channel(());
    let encryption = services.encryption.clone();
    let handshakes =
        encryption.map(|encryption| Handshakes::new(encryption, &capacity, Arc::clone(&metrics)));
    let host = Host {
        edge: Arc::new(Edge::new(services, Stopping(stopped.clone()))),
        handshakes: handshakes.map(Arc::new),
        capacity,
        stopped,
    };
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &connections) => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, address, place)) => {
                let Some(slot) = connections.open_from(address, place) else {
                    RequestShed { reason: Shed::Connections }.emit(&metrics);
                    continue;
                };
                let host = host.clone();
                tokio::spawn(async move {
                    host.receive(stream, address, slot.line()).await;
                });
            }
            Err(error) => {
                AcceptFailed { error: &error }.emit();
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop((listener, host));
    stop.send_replace(());
    stop.closed().await;
}

/// Whether the server is about to stop, so that answers without an end have to find one.
#[derive(Clone)]
pub(super) struct Stopping(watch::Receiver<()>);

impl Stopping {
    /// Whether it is.
    pub(super) fn is_true(&self) -> bool {
        self.0.has_changed().unwrap_or(true)
    }
}

/// The next connection, once there may be one more.
async fn accept(
    listener: &TcpListener,
    connections: &Connections,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let (stream, peer) = listener.accept().await?;
    let place = connections.place().await.ok_or(io::ErrorKind::BrokenPipe)?;
    // Without it small answers wait for the acknowledgement of the one before; a failure only costs that time.
    let _ = stream.set_nodelay(true);
    Ok((stream, peer, place))
}

/// What every connection is served with.
#[derive(Clone)]
struct Host {
    edge: Arc<Edge>,
    /// Begin each connection, if connections are encrypted.
    handshakes: Option<Arc<Handshakes>>,
    capacity: Capacity,
    stopped: watch::Receiver<()>,
}

impl Host {
    /// Serves one connection, to its end.
    async fn receive(self, stream: TcpStream, address: SocketAddr, line: &Line) {
        let Some(handshakes) = self.handshakes.clone() else {
            return self.converse(stream, address, None, line).await;
        };
        let mut stopped = self.stopped.clone();
        let shaken = tokio::select! {
            shaken = handshakes.shake(stream) => shaken,
            () = line.make_way.notified() => None,
            _ = stopped.changed() => None,
        };
        if let Some(Encrypted { stream, certificate }) = shaken {
            self.converse(stream, address, certificate, line).await;
        }
    }

    /// What is said on one connection, to its end; after a stop it ends with the request in flight. Its errors are the
    /// caller's: a connection that breaks or is not HTTP concerns nobody else.
    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        stream: S,
        address: SocketAddr,
        certificate: Option<Box<dyn ClientCertificate>>,
        line: &Line,
    ) {
        let Self { edge, capacity, stopped, .. } = self;
        let connected = Arc::new(edge.welcome(address, certificate));
        let service = service_fn(|request| async {
            line.step();
            let response = edge.answer(&connected, request).await;
            line.step();
            Ok::<_, Infallible>(response)
        });
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_BYTES).max_header_size(HEAD_BYTES);
        let stream = TokioIo::new(Impatient::new(stream, capacity.answer_timeout));
        let mut connection = pin!(builder.serve_connection(stream, service));
        let patrol = pin!(patrol(line, capacity.head_timeout, stopped));
        if let First::Beside(End::WithTheRequest) = beside(connection.as_mut(), patrol).await {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// How a connection ends before the caller ends it.
enum End {
    /// At once: its caller says nothing.
    Now,
    /// With the request in flight: the server stops.
    WithTheRequest,
}

/// Waits for a reason to end a connection.
async fn patrol(line: &Line, head_timeout: Duration, mut stop: watch::Receiver<()>) -> End {
    let mut before = line.steps();
    loop {
        tokio::select! {
            _ = stop.changed() => return End::WithTheRequest,
            () = line.make_way.notified() => {
                if line.is_idle() {
                    return End::Now;
                }
            }
            () = sleep(head_timeout) => {}
        }
        let now = line.steps();
        if now == before && line.is_idle() {
            return End::Now;
        }
        before = now;
    }
}
