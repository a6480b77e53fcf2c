//! YAML of test data.

use serde::de::DeserializeOwned;

/// Parses test data; panics with the position of the first mistake, since test data is part of the test.
#[must_use]
pub fn parse<T: DeserializeOwned>(name: &str, text: &str) -> T {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).unwrap_or_else(|error| panic!("{name}: {error}"))
}
