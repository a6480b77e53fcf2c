//! What the signals of the operating system mean to a running server.
//!
//! SIGTERM and SIGINT ask it to stop, a second one to stop at once; SIGHUP asks it to reload the policies and the certificates.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::pdp::{Cause, ReloadHandle};
use crate::telemetry::events::ReloadSignalled;
use crate::tls::Tls;

/// The signals that end the server. Listening begins with the value, so that none is missed while the server starts.
#[derive(Debug)]
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Listens from now on.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one and names it.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// SIGHUP, which without a listener would end the process.
#[derive(Debug)]
pub(super) struct ReloadSignal(Signal);

impl ReloadSignal {
    /// Listens from now on.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::hangup())?))
    }

    /// Reloads at each signal, forever; several that come during one reload count as one.
    pub(super) async fn serve(mut self, reload: ReloadHandle, tls: Option<Arc<Tls>>) {
        while self.0.recv().await.is_some() {
            ReloadSignalled.emit();
            if let Some(tls) = &tls {
                tls.look_soon();
            }
            // The reload reports its own outcome as event, metric and status.
            let _ = reload.reload(Cause::Signal).await;
        }
    }
}
