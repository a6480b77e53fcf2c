//! Connections: accepted until told to stop, then finished.

use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower::{BoxError, Service};

use crate::telemetry::events::AcceptFailed;

/// Longest time from the end of one request, or from the connect, to the end of the next request's head. It bounds slow
/// heads and idle connections alike.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Largest head of a request, and most bytes of it buffered.
const HEAD_BYTES: usize = 64 * 1024;

/// Pause after a failure to accept, such as too many open files: long enough not to spin or to flood the log, short
/// enough not to be felt.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` on `listener` until `shutdown` resolves; then accepts nothing more, finishes the requests in flight
/// and returns. Whoever calls it bounds how long that may take.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) {
    let (stop, stopped) = watch::channel(());
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let router = router.clone();
                tokio::spawn(connection(stream, WithPeer { router, peer }, stopped.clone()));
            }
            Err(error) => {
                AcceptFailed { error: &error }.emit();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop((listener, stopped));
    stop.send_replace(());
    stop.closed().await;
}

/// One connection, to its end; after `stop` it ends with the request in flight. Its errors are the caller's: a
/// connection that breaks or is not HTTP concerns nobody else.
async fn connection(stream: TcpStream, service: WithPeer, mut stop: watch::Receiver<()>) {
    // Without it small answers wait for the acknowledgement of the one before; a failure only costs that time.
    let _ = stream.set_nodelay(true);
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stop.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// The router, told who is at the other end.
#[derive(Clone)]
struct WithPeer {
    router: Router,
    peer: SocketAddr,
}

impl<B> Service<Request<B>> for WithPeer
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = <Router as Service<Request<Body>>>::Response;
    type Error = <Router as Service<Request<Body>>>::Error;
    type Future = <Router as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(ConnectInfo(self.peer));
        self.router.call(request.map(Body::new))
    }
}
