//! From the configuration of streams to what connects to their transmitters.

use std::sync::Arc;

use anyhow::Context;
use procura_core::signal::{EVENT_TYPES, Entitlement, Family};

use super::signals::entitlement;
use crate::config::{self, Config};
use crate::discovery::TransmitterPlace;
use crate::ports::{Clock, SetIntake};
use crate::secret::SecretSource;
use crate::streams::{
    Authorization, DeliverySettings, ManagementSettings, StreamSettings, StreamTiming, Streams,
};

/// Connects to the transmitters of the configured streams, on the current runtime.
pub(super) fn start(
    config: &Config,
    intake: &Arc<dyn SetIntake>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Streams> {
    let public_url = config.server.public_url.as_deref();
    let settings = config.signals.streams.iter().map(|stream| settings(stream, public_url));
    let settings = settings.collect::<anyhow::Result<_>>()?;
    Streams::start(settings, StreamTiming::default(), intake, clock).context("cannot connect to transmitters")
}

fn settings(stream: &config::Stream, public_url: Option<&str>) -> anyhow::Result<StreamSettings> {
    Ok(StreamSettings {
        name: stream.name.as_str().into(),
        place: place(stream),
        audiences: stream.audiences.clone(),
        management: stream
            .transmitter
            .as_ref()
            .map(|transmitter| Ok::<_, anyhow::Error>(management(&entitlement(stream)?, transmitter)))
            .transpose()?,
        delivery: delivery(stream, public_url)?,
    })
}

/// Where the transmitter of `stream` says what it offers.
pub(in crate::cli) fn place(stream: &config::Stream) -> TransmitterPlace {
    TransmitterPlace {
        url: stream.metadata.clone(),
        issuer: stream.issuer.clone(),
        plain_http: stream.plain_http,
    }
}

fn management(entitlement: &Entitlement, transmitter: &config::Transmitter) -> ManagementSettings {
    ManagementSettings {
        authorization: transmitter_authorization(transmitter),
        create: transmitter.create,
        events: transmitter.events.clone().unwrap_or_else(|| known_events(entitlement)),
        description: transmitter.description.clone(),
        verify_every: transmitter.verify_every,
    }
}

/// The types that say something the stream may state.
fn known_events(entitlement: &Entitlement) -> Vec<String> {
    let events = EVENT_TYPES.iter().filter(|event| event.family != Family::Stream);
    events
        .filter(|event| event.facts.iter().any(|name| entitlement.allows_name(name)))
        .map(|event| event.uri.to_owned())
        .collect()
}

fn delivery(stream: &config::Stream, public_url: Option<&str>) -> anyhow::Result<DeliverySettings> {
    if let Some(poll) = &stream.poll {
        return Ok(DeliverySettings::Poll {
            url: poll.url.clone(),
            authorization: authorization(poll.authorization.as_ref()),
            max_events: usize::try_from(poll.max_events).unwrap_or(usize::MAX),
        });
    }
    let push = stream.push.as_ref();
    let own = || public_url.map(|url| format!("{url}/api/signals/streams/{}", stream.name));
    let url = push.and_then(|push| push.url.clone()).or_else(own);
    let is_told = stream.transmitter.is_some();
    let url = url.or_else(|| (!is_told).then(String::new)).with_context(|| {
        format!("the transmitter of the stream `{}` must be told where to push: set `push.url` or `server.publicUrl`", stream.name)
    })?;
    let shown = push.and_then(|push| push.authorization.clone());
    Ok(DeliverySettings::Push { url, authorization: shown })
}

/// What shows the transmitter who this receiver is.
fn transmitter_authorization(transmitter: &config::Transmitter) -> Option<Authorization> {
    let client = transmitter.oauth.as_ref().map(|client| Authorization::Client {
        token_url: client.token_url.clone(),
        id: client.client_id.clone(),
        secret: client.secret.clone(),
        scope: client.scopes.join(" "),
    });
    client.or_else(|| authorization(transmitter.authorization.as_ref()))
}

fn authorization(source: Option<&SecretSource>) -> Option<Authorization> {
    source.map(|source| Authorization::Header(source.clone()))
}
