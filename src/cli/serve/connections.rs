//! From the configuration of streams to what connects to their transmitters.

use std::sync::Arc;

use anyhow::Context;
use procura_core::signal::{EVENT_TYPES, Family};

use crate::config::{self, Config, HeaderFile};
use crate::discovery::TransmitterPlace;
use crate::ports::{Clock, SetIntake};
use crate::streams::{
    Authorization, DeliverySettings, HeaderSource, ManagementSettings, StreamSettings, StreamTiming, Streams,
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
        management: stream.transmitter.as_ref().map(|transmitter| management(stream, transmitter)),
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

fn management(stream: &config::Stream, transmitter: &config::Transmitter) -> ManagementSettings {
    ManagementSettings {
        authorization: transmitter_authorization(transmitter),
        create: transmitter.create,
        events: transmitter.events.clone().unwrap_or_else(|| known_events(stream)),
        description: transmitter.description.clone(),
        verify_every: transmitter.verify_every,
    }
}

/// The types that say something the stream may state.
fn known_events(stream: &config::Stream) -> Vec<String> {
    let globs: Option<Vec<_>> = stream.facts.as_ref().map(|patterns| {
        patterns.iter().filter_map(|pattern| procura_core::policy::Glob::parse(pattern).ok()).collect()
    });
    let wanted = |name: &str| globs.as_ref().is_none_or(|globs| globs.iter().any(|glob| glob.matches(name)));
    let events = EVENT_TYPES.iter().filter(|event| event.family != Family::Stream);
    events
        .filter(|event| event.facts.iter().any(|name| wanted(name)))
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
    let shown = push.and_then(|push| push.authorization.as_ref()).map(header);
    Ok(DeliverySettings::Push { url, authorization: shown })
}

/// What shows the transmitter who this receiver is.
fn transmitter_authorization(transmitter: &config::Transmitter) -> Option<Authorization> {
    let client = transmitter.oauth.as_ref().map(|client| Authorization::Client {
        token_url: client.token_url.clone(),
        id: client.client_id.clone(),
        secret: header(&client.secret),
        scope: client.scopes.join(" "),
    });
    client.or_else(|| authorization(transmitter.authorization.as_ref()))
}

fn authorization(source: Option<&config::HeaderSource>) -> Option<Authorization> {
    source.map(|source| Authorization::Header(header(source)))
}

fn header(source: &config::HeaderSource) -> HeaderSource {
    match source {
        config::HeaderSource::Text(text) => HeaderSource::Text(text.clone()),
        config::HeaderSource::File(HeaderFile { file }) => HeaderSource::File(file.clone()),
    }
}
