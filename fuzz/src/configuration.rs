//! What operators write.

use std::collections::BTreeMap;

use procura::config::{Config, Origin, Sources};

/// A configuration file.
///
/// What it sets can be set with `--set` as well, and comes to the same.
pub(crate) fn configuration(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let environment = BTreeMap::from([("SET".to_owned(), "value".to_owned())]);
    let sources = Sources { file: Some(("c.yaml".to_owned(), text)), environment, ..Sources::default() };
    let config = match Config::from_sources(&sources) {
        Ok(config) => config,
        Err(error) => {
            assert!(!error.problems.is_empty(), "an error without a reason");
            return;
        }
    };
    for setting in &config.settings {
        let _ = setting.shown();
    }
    let is_from_file = |setting: &&procura::config::Setting| matches!(setting.origin, Origin::File { .. });
    let set: Vec<String> =
        config.settings.iter().filter(is_from_file).map(|s| format!("{}={}", s.key, s.value)).collect();
    let again = Config::from_sources(&Sources { set, ..Sources::default() });
    let again = again.unwrap_or_else(|error| panic!("what a file sets cannot be set otherwise: {error}"));
    let values =
        |config: &Config| config.settings.iter().map(|s| (s.key, s.value.clone())).collect::<Vec<_>>();
    assert_eq!(values(&again), values(&config));
}
