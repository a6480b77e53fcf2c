//! The readers of certificates, for fuzz targets.

use procura_core::model::spiffe;

use super::der;
use super::identity::{covers, holder};

/// The name in the certificate in `der` and who vouches for it; `None` if it is none, or names nobody.
///
/// # Panics
/// If it has a SPIFFE id and the name is another one.
#[must_use]
pub fn named(certificate: &[u8]) -> Option<(String, Option<String>)> {
    let facts = der::facts(certificate)?;
    let identity = holder(certificate, &facts, &[]).ok()?;
    let name = identity.name?;
    let claimed: Vec<&str> = facts.uris.iter().copied().filter(|uri| spiffe::is_claimed(uri)).collect();
    assert!(claimed.is_empty() || claimed == [name.as_str()], "{name} is not {claimed:?}");
    Some((name, identity.issuer))
}

/// When the revocation list in `der` is out of date.
#[must_use]
pub fn next_update(list: &[u8]) -> Option<i64> {
    der::next_update(list)
}

/// Whether the `names` of a rule are about `name`.
#[must_use]
pub fn is_about(names: &str, name: &str) -> bool {
    covers(names, name)
}
