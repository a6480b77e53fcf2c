//! From the configuration to what verifies tokens.

use std::sync::Arc;
use std::time::Duration;

use super::clock::SystemClock;
use super::serve;
use crate::config::{self, AuxData, TokenProfile};
use crate::pdp::{EvidenceRules, KeySetEvidence, PrincipalClaims};
use crate::pip::{
    Algorithm, KeyRules, KeySetSettings, KeySource, Profile, StartError, TokenRules, TokenSettings, Verifier,
};
use crate::telemetry::Metrics;

/// How often keys are fetched that were found by metadata.
const DISCOVERED_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Starts what verifies tokens, on the current runtime.
pub(super) fn start(aux_data: &AuxData, metrics: Arc<Metrics>) -> Result<Arc<Verifier>, StartError> {
    let settings = TokenSettings {
        unverified: aux_data.disable_verification,
        skew: aux_data.acceptable_time_skew,
        key_sets: aux_data.key_sets.iter().map(key_set).collect(),
        ..TokenSettings::default()
    };
    Verifier::start(&settings, Arc::new(SystemClock), metrics).map(Arc::new)
}

/// Starts what verifies the tokens of callers, on the current runtime. Such a token must end.
pub(super) fn start_for_callers<'c>(
    key_sets: impl Iterator<Item = &'c config::KeySet>,
    skew: Duration,
    metrics: Arc<Metrics>,
) -> Result<Arc<Verifier>, StartError> {
    let mut key_sets: Vec<_> = key_sets.map(key_set).collect();
    for set in &mut key_sets {
        set.tokens.must_expire = true;
    }
    let settings = TokenSettings { skew, key_sets, ..TokenSettings::default() };
    Verifier::start(&settings, Arc::new(SystemClock), metrics).map(Arc::new)
}

/// Starts what verifies the signatures of `streams`, on the current runtime. What their SETs say is judged elsewhere.
pub(super) fn start_for_streams(
    streams: &[config::Stream],
    metrics: Arc<Metrics>,
) -> Result<Arc<Verifier>, StartError> {
    let key_sets = streams.iter().map(stream_keys).collect();
    let settings = TokenSettings { key_sets, ..TokenSettings::default() };
    Verifier::start(&settings, Arc::new(SystemClock), metrics).map(Arc::new)
}

/// The keys of a stream; those that nobody configured are found by the metadata of its transmitter.
fn stream_keys(stream: &config::Stream) -> KeySetSettings {
    if let Some(keys) = &stream.keys {
        return key_set(keys);
    }
    let algorithms = stream.algorithms.iter().filter_map(|name| Algorithm::named(name)).collect();
    KeySetSettings {
        id: stream.name.clone(),
        source: KeySource::Discovered {
            transmitter: serve::place(stream),
            refresh_interval: DISCOVERED_INTERVAL,
        },
        rules: KeyRules::default(),
        tokens: TokenRules { algorithms, ..TokenRules::default() },
    }
}

/// What is made of tokens besides their claims.
pub(super) fn evidence(aux_data: &AuxData) -> EvidenceRules {
    let of = |set: &config::KeySet| KeySetEvidence {
        actor: set.actor,
        transactions: set.tokens.profile == TokenProfile::TxnToken,
        principal: set.principal.clone().map(|config::PrincipalClaims { id, attributes, must_match }| {
            PrincipalClaims { id, attributes, must_match }
        }),
    };
    let key_sets = aux_data.key_sets.iter().map(|set| (set.id.clone(), of(set))).collect();
    EvidenceRules { max_actors: aux_data.max_actors, key_sets }
}

fn key_set(set: &config::KeySet) -> KeySetSettings {
    let source = match set.source.clone() {
        config::KeySource::Remote { url, refresh_interval } => KeySource::Remote { url, refresh_interval },
        config::KeySource::File { path, pem } => KeySource::File { path, pem },
        config::KeySource::Data { bytes, pem } => KeySource::Data { text: bytes, pem },
    };
    let rules = KeyRules { optional_alg: set.optional_alg, optional_kid: set.optional_kid };
    KeySetSettings { id: set.id.clone(), source, rules, tokens: token_rules(&set.tokens) }
}

fn token_rules(rules: &config::TokenRules) -> TokenRules {
    let config::TokenRules { profile, issuer, audiences, types, algorithms, trust_domain } = rules.clone();
    TokenRules {
        profile: match profile {
            TokenProfile::Jwt => Profile::Jwt,
            TokenProfile::AccessToken => Profile::AccessToken,
            TokenProfile::JwtSvid => Profile::JwtSvid,
            TokenProfile::TxnToken => Profile::TxnToken,
        },
        issuer,
        audiences,
        types,
        algorithms: algorithms.iter().filter_map(|name| Algorithm::named(name)).collect(),
        trust_domain,
        must_expire: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_that_can_be_configured_is_known() {
        for name in config::TOKEN_ALGORITHMS {
            assert!(Algorithm::named(name).is_some(), "{name}");
        }
    }
}
