//! What records are sent to. One file per kind, and what those that ask a server share.

mod endpoint;
mod file;
mod http;
mod otlp;

use std::io;

use self::file::FileTarget;
use self::http::HttpTarget;
use self::otlp::OtlpTarget;
use super::failure::Failure;
use super::feed::Parcel;
use super::settings::TargetSettings;

/// A destination, ready to take records.
pub(super) enum Target {
    File(FileTarget),
    Http(HttpTarget),
    Otlp(OtlpTarget),
}

impl Target {
    /// Sets it up; nothing is sent or written yet.
    pub(super) fn new(settings: &TargetSettings) -> io::Result<Self> {
        Ok(match settings {
            TargetSettings::File(settings) => Target::File(FileTarget::new(settings.clone())),
            TargetSettings::Http(endpoint) => Target::Http(HttpTarget::new(endpoint)?),
            TargetSettings::Otlp { endpoint, resource } => Target::Otlp(OtlpTarget::new(endpoint, resource)?),
        })
    }

    /// Sends `batch`, which is not empty. If that fails, any part of it may have arrived.
    pub(super) async fn send(&mut self, batch: &[Parcel]) -> Result<(), Failure> {
        match self {
            Target::File(target) => target.append(batch),
            Target::Http(target) => target.send(batch).await,
            Target::Otlp(target) => target.send(batch).await,
        }
    }

    /// Sees to it that what was sent survives a power cut, as far as that is ours to do.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        match self {
            Target::File(target) => target.settle(),
            Target::Http(_) | Target::Otlp(_) => Ok(()),
        }
    }
}

/// A batch with one record per line, as `procura audit list --format json` shows them.
fn lines(batch: &[Parcel]) -> Vec<u8> {
    let mut text = Vec::with_capacity(batch.iter().map(|parcel| parcel.payload.len() + 128).sum());
    for Parcel { seq, hash, payload, .. } in batch {
        text.extend_from_slice(format!(r#"{{"seq":{seq},"hash":"{hash}","record":"#).as_bytes());
        text.extend_from_slice(payload);
        text.extend_from_slice(b"}\n");
    }
    text
}
