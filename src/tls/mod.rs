//! TLS of the server: its certificate, the client certificates that it believes, and their exchange while it runs.
//!
//! Beside `outgoing.rs` the only module that knows the TLS library. What handshakes are made with is one value, `Live`,
//! which is replaced as a whole, and only by one that is good.

mod der;
mod files;
#[cfg(fuzzing)]
pub mod fuzzing;
mod identity;
mod live;
mod probe;
mod shown;
mod trust;

pub use files::Files;
pub use identity::CertificateRule;
pub use probe::{ProbeIdentity, probe};

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::HandshakeKind;
use rustls::pki_types::UnixTime;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use self::files::Print;
use self::live::{Live, shown};
use self::shown::Shown;
use self::trust::seconds;
use crate::ports::{ClientCertificate, Encrypted, Encryption, Handshake};
use crate::telemetry::Metrics;
use crate::telemetry::events::{TlsReloadFailed, TlsReloaded};

/// A certificate is about to expire when less than this part of its life is left: nine days of ninety.
const LAST_PART: i64 = 10;

/// How connections are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where certificates and keys are.
    pub files: Files,
    /// Whether clients without a certificate are turned away.
    pub required: bool,
    /// What the holders of client certificates are given.
    pub rules: Vec<CertificateRule>,
}

/// Why there is no certificate to serve with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read `{}`: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// What is in a file is of no use.
    #[error("`{}`: {advice}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        advice: String,
    },
}

impl TlsError {
    fn invalid(path: &Path, advice: impl Into<String>) -> Self {
        Self::Invalid { path: path.to_owned(), advice: advice.into() }
    }
}

/// Encrypts connections with what is in the files.
pub struct Tls {
    settings: Settings,
    live: Arc<ArcSwap<Live>>,
    seen: Mutex<Seen>,
    asked: Notify,
    metrics: Arc<Metrics>,
}

/// What was seen of the files.
struct Seen {
    /// What the last look found; the error says why they could not be read.
    last: Result<Print, String>,
    /// What is live.
    live: Print,
    /// Why the files are not what is live.
    problem: Option<String>,
}

impl Tls {
    /// Reads the files of `settings`.
    ///
    /// # Errors
    /// If they cannot be read, or are not good.
    pub fn load(settings: Settings, metrics: Arc<Metrics>) -> Result<Arc<Self>, TlsError> {
        let contents = settings.files.read()?;
        let live = Live::new(&settings, &contents, 1)?;
        let print = contents.print();
        TlsReloaded { generation: 1, ends: live.ends, until: &shown(live.ends) }.emit(&metrics);
        Ok(Arc::new(Self {
            settings,
            live: Arc::new(ArcSwap::from_pointee(live)),
            seen: Mutex::new(Seen { last: Ok(print), live: print, problem: None }),
            asked: Notify::new(),
            metrics,
        }))
    }

    /// Looks at the files again and again, and whenever it is asked to, forever. `interval` is the pause between two
    /// looks; without one it only looks when asked.
    pub async fn watch(self: Arc<Self>, interval: Option<Duration>) {
        loop {
            let pause = async {
                match interval {
                    Some(interval) => tokio::time::sleep(interval).await,
                    None => std::future::pending().await,
                }
            };
            let at_once = tokio::select! {
                () = pause => false,
                () = self.asked.notified() => true,
            };
            let tls = Arc::clone(&self);
            // It fails only if it panicked, which the panic hook has told; the next look may do better.
            let _ = tokio::task::spawn_blocking(move || tls.look(at_once)).await;
        }
    }

    /// Asks for a look at the files now.
    pub fn look_soon(&self) {
        self.asked.notify_one();
    }

    /// Takes what is in the files if that is not what is live, once two looks have found the same, or `at_once`: what is
    /// still being written is not taken.
    fn look(&self, at_once: bool) {
        let contents = self.settings.files.read();
        let found = contents.as_ref().map(files::Contents::print).map_err(ToString::to_string);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_settled = at_once || found == seen.last;
        seen.last.clone_from(&found);
        if !is_settled {
            return;
        }
        if found == Ok(seen.live) {
            seen.problem = None;
            return;
        }
        let generation = self.live.load().generation + 1;
        match contents.and_then(|contents| Live::new(&self.settings, &contents, generation)) {
            Ok(live) => {
                TlsReloaded { generation, ends: live.ends, until: &shown(live.ends) }.emit(&self.metrics);
                self.live.store(Arc::new(live));
                seen.problem = None;
                seen.live = found.unwrap_or(seen.live);
            }
            Err(error) => {
                let problem = error.to_string();
                if seen.problem.as_ref() != Some(&problem) {
                    TlsReloadFailed { error: &error }.emit(&self.metrics);
                }
                seen.problem = Some(problem);
            }
        }
    }
}

impl Encryption for Tls {
    fn accept(&self, stream: TcpStream) -> Handshake {
        let (all, made_with) = (Arc::clone(&self.live), self.live.load_full());
        let accept = TlsAcceptor::from(Arc::clone(&made_with.config)).accept(stream);
        Box::pin(async move {
            let stream = accept.await?;
            let (_, session) = stream.get_ref();
            let is_fresh = session.handshake_kind() != Some(HandshakeKind::Resumed);
            let chain = session.peer_certificates().map(<[_]>::to_vec);
            let shown = chain.map(|chain| Shown::new(&all, chain, &made_with, is_fresh));
            let certificate = shown.map(|shown| Box::new(shown) as Box<dyn ClientCertificate>);
            Ok(Encrypted { stream: Box::new(stream), certificate })
        })
    }

    fn health(&self) -> Result<String, String> {
        let live = self.live.load();
        let (now, until) = (seconds(UnixTime::now()), shown(live.ends));
        if let Some(problem) = &self.seen.lock().unwrap_or_else(PoisonError::into_inner).problem {
            return Err(format!(
                "the files are not what is served, the certificate until {until}: {problem}"
            ));
        }
        if now > live.ends {
            return Err(format!("the certificate ended at {until}: renew it"));
        }
        if let Some(end) = live.trust.as_ref().and_then(|trust| trust.lists_end()).filter(|end| now >= *end) {
            let end = shown(end);
            return Err(format!("a revocation list is out of date since {end}: its clients are refused"));
        }
        if live.ends.saturating_sub(now) < live.ends.saturating_sub(live.begins) / LAST_PART {
            return Err(format!("the certificate ends soon, at {until}: renew it"));
        }
        Ok(format!("the certificate is good until {until}"))
    }
}
