//! From text to types: each value is checked where it is read, and a wrong one names its origin and what is valid.

mod audit;
mod callers;
mod limits;
mod reload;
mod signals;
mod tls;

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use procura_core::engine::{OnError, SchemaEnforcement, Settings};
use procura_core::model::is_scope;
use procura_core::value::Map;
use serde::de::DeserializeOwned;

use super::aux_data::KeySetList;
use super::layers::{Layers, Origin, Setting};
use super::{AuxData, Config, Log, Server, Storage, globals};
use crate::telemetry::LogFormat;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);

/// Types every setting.
///
/// # Errors
/// Everything that is wrong, in all layers, one line each.
pub(super) fn config(layers: Layers) -> Result<Config, Vec<String>> {
    let mut reader = Reader(layers);
    reader.choice("storage.driver", &[("disk", ())]);
    let (server, storage) = (server(&mut reader), storage(&mut reader));
    let callers = callers::callers(&mut reader);
    let (reload, shadow) = (reload::reload(&mut reader), reload::shadow(&reader));
    let (engine, aux_data) = (engine(&mut reader), aux_data(&mut reader));
    let (audit, log) = (audit::audit(&mut reader), log(&mut reader));
    let signals = signals::signals(&mut reader);
    if !audit.enabled {
        reload::require_log(&mut reader, &reload, shadow.as_ref());
    }
    let Reader(layers) = reader;
    if !layers.problems.is_empty() {
        return Err(layers.problems);
    }
    let settings = layers.settings.into_values().collect();
    let notices = layers.notices.into_iter().chain(super::signals::notices(&signals.streams)).collect();
    Ok(Config {
        server,
        callers,
        storage,
        reload,
        shadow,
        engine,
        aux_data,
        audit,
        signals,
        log,
        settings,
        notices,
    })
}

fn server(reader: &mut Reader) -> Server {
    Server {
        listen: reader.address("server.httpListenAddr"),
        data_dir: reader.path("server.dataDir"),
        public_url: reader.url("server.publicUrl"),
        shutdown_deadline: reader.duration("server.shutdownDeadline", Duration::ZERO..=60 * MINUTE),
        max_actions_per_resource: reader.count("server.requestLimits.maxActionsPerResource", 1..=500),
        max_resources_per_request: reader.count("server.requestLimits.maxResourcesPerRequest", 1..=500),
        max_body_bytes: reader.count("server.requestLimits.maxBodyBytes", KIB..=64 * MIB),
        limits: limits::limits(reader),
        admin_api: reader.switch("server.adminAPI.enabled"),
        tls: tls::tls(reader),
    }
}

fn storage(reader: &mut Reader) -> Storage {
    Storage {
        directory: reader.path("storage.disk.directory"),
        watch: reader.switch("storage.disk.watchForChanges"),
        poll_interval: reader.duration("storage.disk.pollInterval", 100 * MILLISECOND..=60 * MINUTE),
        quiet_period: reader.duration("storage.disk.quietPeriod", Duration::ZERO..=MINUTE),
    }
}

fn engine(reader: &mut Reader) -> Settings {
    let default_policy_version = reader.filled("engine.defaultPolicyVersion");
    let choices = [("closed", OnError::Closed), ("cerbos", OnError::Cerbos)];
    let on_error = reader.choice("engine.onError", &choices).unwrap_or(OnError::Closed);
    let enforcements = [SchemaEnforcement::None, SchemaEnforcement::Warn, SchemaEnforcement::Reject]
        .map(|enforcement| (enforcement.as_str(), enforcement));
    Settings {
        default_policy_version,
        default_scope: reader.scope("engine.defaultScope"),
        lenient_scope_search: reader.switch("engine.lenientScopeSearch"),
        on_error,
        strict_evaluation: reader.switch("engine.strictEvaluation"),
        schema_enforcement: reader.choice("schema.enforcement", &enforcements).unwrap_or_default(),
        globals: globals(reader),
        standing: signals::standing(reader),
    }
}

fn globals(reader: &mut Reader) -> Map<'static> {
    const GLOBALS: &str = "engine.globals";
    globals::read(&reader.text(GLOBALS)).unwrap_or_else(|problems| {
        for (member, advice) in problems {
            reader.reject_member(GLOBALS, &member, advice);
        }
        Map::default()
    })
}

fn aux_data(reader: &mut Reader) -> AuxData {
    AuxData {
        disable_verification: reader.switch("auxData.jwt.disableVerification"),
        acceptable_time_skew: reader.duration("auxData.jwt.acceptableTimeSkew", Duration::ZERO..=10 * MINUTE),
        max_actors: reader.count("auxData.jwt.maxActors", 1..=16),
        key_sets: reader.checked("auxData.jwt.keySets", KeySetList::check),
    }
}

fn log(reader: &mut Reader) -> Log {
    let formats = [("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];
    Log {
        level: reader.filled("log.level"),
        format: reader.choice("log.format", &formats).unwrap_or_default(),
    }
}

/// Reads settings by key. After a problem it goes on with any valid value, so that all problems are found at once.
struct Reader(Layers);

impl Reader {
    fn text(&self, key: &str) -> String {
        self.0.settings.get(key).map(|setting| setting.value.clone()).unwrap_or_default()
    }

    /// The list or map that is the value of `key`.
    fn structure<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let text = self.text(key);
        let read = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(&text));
        read.map_err(|error| {
            let (path, error) = (error.path().to_string(), error.into_inner().to_string());
            // The line and column are those of our own JSON, which nobody wrote.
            let advice = error.rsplit_once(" at line ").map_or(error.as_str(), |(advice, _)| advice);
            let member = match path.as_str() {
                "." => String::new(),
                path if path.starts_with('[') => path.to_owned(),
                path => format!(".{path}"),
            };
            self.reject_member(key, &member, format_args!("is not valid: {advice}"));
        })
        .ok()
    }

    /// The list that is the value of `key` and that `check` finds good; empty after a problem.
    fn checked<L: DeserializeOwned, T>(
        &mut self,
        key: &str,
        check: impl FnOnce(L) -> Result<Vec<T>, Vec<(String, String)>>,
    ) -> Vec<T> {
        let problems = match self.structure(key).map(check) {
            Some(Ok(list)) => return list,
            Some(Err(problems)) => problems,
            None => Vec::new(),
        };
        for (member, advice) in problems {
            self.reject_member(key, &member, advice);
        }
        Vec::new()
    }

    fn reject_member(&mut self, key: &str, member: &str, advice: impl Display) {
        let origin = self.0.settings.get(key).map_or(&Origin::Default, |setting| &setting.origin);
        self.0.problems.push(format!("{origin}: `{key}{member}` {advice}"));
    }

    fn reject(&mut self, key: &str, advice: impl Display) {
        let Some(Setting { origin, .. }) = self.0.settings.get(key) else {
            self.0.problems.push(format!("`{key}` is not a known key"));
            return;
        };
        self.0.problems.push(format!("{origin}: `{key}` {advice}"));
    }

    /// The text of `key`, if it has any.
    fn given(&self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    fn filled(&mut self, key: &str) -> String {
        let text = self.text(key);
        if text.is_empty() {
            self.reject(key, "must not be empty");
        }
        text
    }

    fn path(&mut self, key: &str) -> PathBuf {
        self.filled(key).into()
    }

    fn switch(&mut self, key: &str) -> bool {
        self.choice(key, &[("false", false), ("true", true)]).unwrap_or_default()
    }

    fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(key);
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(*choice);
        }
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
        self.reject(key, format_args!("must be {}, not `{text}`", names.join(" or ")));
        None
    }

    fn number(&mut self, key: &str, range: RangeInclusive<u64>) -> u64 {
        let text = self.text(key);
        match text.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let (least, most) = range.into_inner();
                self.reject(key, format_args!("must be a whole number from {least} to {most}, not `{text}`"));
                least
            }
        }
    }

    fn count(&mut self, key: &str, range: RangeInclusive<u64>) -> usize {
        usize::try_from(self.number(key, range)).unwrap_or(usize::MAX)
    }

    fn duration(&mut self, key: &str, range: RangeInclusive<Duration>) -> Duration {
        let text = self.text(key);
        let parsed = text.parse::<SignedDuration>().ok().and_then(|parsed| Duration::try_from(parsed).ok());
        match parsed {
            Some(duration) if range.contains(&duration) => duration,
            _ => {
                let (least, most) = range.into_inner();
                let advice = format!(
                    "must be a duration from {least:?} to {most:?} in `h`, `m`, `s` or `ms`, such as `120h` or `250ms`, not `{text}`"
                );
                self.reject(key, advice);
                least
            }
        }
    }

    /// A duration within `range`, or none at all: zero.
    fn age(&mut self, key: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
        let is_none = self.text(key).parse::<SignedDuration>().is_ok_and(|parsed| parsed.is_zero());
        if is_none { None } else { Some(self.duration(key, range)) }
    }

    /// A number within `range`, or none at all: zero.
    fn size(&mut self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        if self.text(key) == "0" { None } else { Some(self.number(key, range)) }
    }

    /// A scope; the root is written `.` or left empty.
    fn scope(&mut self, key: &str) -> String {
        let text = self.text(key);
        if !is_scope(&text) {
            self.reject(
                key,
                format_args!(
                    "must be segments of letters, digits, `_` and `-`, separated by dots, not `{text}`"
                ),
            );
        }
        Some(text).filter(|text| text != ".").unwrap_or_default()
    }

    fn url(&mut self, key: &str) -> Option<String> {
        let text = self.text(key);
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        if !text.is_empty() && host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
            self.reject(
                key,
                format_args!("must be like `https://host` or `https://host/path`, not `{text}`"),
            );
        }
        Some(text).filter(|text| !text.is_empty()).map(|text| text.trim_end_matches('/').to_owned())
    }

    /// `host:port`; without a host it means all interfaces, as for the peer.
    fn address(&mut self, key: &str) -> String {
        let text = self.text(key);
        let parts = text.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>().is_ok()));
        match parts {
            _ if text.starts_with("unix:") => {
                self.reject(key, "must be `host:port`: sockets in the file system are not served yet");
                text
            }
            Some(("", true)) => format!("0.0.0.0{text}"),
            Some((_, true)) => text,
            _ => {
                self.reject(key, format_args!("must be `host:port` or `:port`, not `{text}`"));
                text
            }
        }
    }
}
