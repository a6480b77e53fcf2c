//! JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037): a set of them or a single one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::algorithm::Algorithm;
use super::keys::{Key, KeyError};
use super::signature::Check;

/// The keys in `text`. One that is not understood is there without any check, as RFC 7517, section 5, wants it.
pub(super) fn keys(text: &[u8]) -> Result<Vec<Key>, KeyError> {
    let document: Document = read(text)?;
    let keys = match document.keys {
        Some(keys) => keys,
        None => vec![read(text)?],
    };
    keys.into_iter()
        .map(|jwk| match serde_json::from_value::<Jwk>(jwk) {
            Ok(jwk) if jwk.is_private() => Err(KeyError::Private),
            Ok(jwk) => Ok(jwk.into_key()),
            Err(_) => Ok(Key { id: None, names_algorithm: false, is_for_svids: false, checks: Vec::new() }),
        })
        .collect()
}

fn read<'de, T: Deserialize<'de>>(text: &'de [u8]) -> Result<T, KeyError> {
    serde_json::from_slice(text).map_err(|error| KeyError::NotJwks(error.to_string()))
}

/// The `use` of keys for JWT-SVIDs.
const FOR_SVIDS: &str = "jwt-svid";

#[derive(Deserialize)]
struct Document {
    keys: Option<Vec<serde_json::Value>>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    k: Option<String>,
    d: Option<serde_json::Value>,
}

impl Jwk {
    /// Whether it can make signatures. A shared secret always can: there is no other half to keep elsewhere.
    fn is_private(&self) -> bool {
        self.d.is_some()
    }

    fn into_key(self) -> Key {
        let checks = if self.is_for_signatures() { self.checks().unwrap_or_default() } else { Vec::new() };
        let is_for_svids = self.r#use.as_deref() == Some(FOR_SVIDS);
        Key { id: self.kid.map(Into::into), names_algorithm: self.alg.is_some(), is_for_svids, checks }
    }

    fn is_for_signatures(&self) -> bool {
        self.r#use.as_deref().is_none_or(|purpose| matches!(purpose, "sig" | FOR_SVIDS))
            && self.key_ops.as_ref().is_none_or(|uses| uses.iter().any(|name| name == "verify"))
    }

    /// A check for each algorithm that fits the type of the key, or for the one that it names.
    fn checks(&self) -> Option<Vec<(Algorithm, Check)>> {
        let (fitting, bytes) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => (&[Algorithm::Es256][..], self.point(32)?),
            ("EC", Some("P-384")) => (&[Algorithm::Es384][..], self.point(48)?),
            ("EC", Some("P-521")) => (&[Algorithm::Es512][..], self.point(66)?),
            ("OKP", Some("Ed25519")) => (&[Algorithm::Ed25519][..], decode(self.x.as_ref())?),
            ("RSA", _) => (Algorithm::RSA, self.rsa()?),
            ("oct", _) => (Algorithm::SECRET, decode(self.k.as_ref())?),
            _ => return None,
        };
        let named = match &self.alg {
            Some(name) => Some(Algorithm::named(name)?),
            None => None,
        };
        let check = if self.kty == "oct" { Check::secret } else { Check::public };
        let algorithms = fitting.iter().filter(|algorithm| named.is_none_or(|named| named == **algorithm));
        Some(algorithms.filter_map(|algorithm| Some((*algorithm, check(*algorithm, &bytes)?))).collect())
    }

    /// An uncompressed point, as in SEC 1, section 2.3.3.
    fn point(&self, coordinate_bytes: usize) -> Option<Vec<u8>> {
        let (x, y) = (decode(self.x.as_ref())?, decode(self.y.as_ref())?);
        let is_whole = x.len() == coordinate_bytes && y.len() == coordinate_bytes;
        is_whole.then(|| [&[4], x.as_slice(), y.as_slice()].concat())
    }

    /// An `RSAPublicKey`, as in RFC 8017, appendix A.1.1.
    fn rsa(&self) -> Option<Vec<u8>> {
        /// Smallest modulus: RFC 7518, section 3.3.
        const LEAST_BYTES: usize = 2048 / 8;
        let (modulus, exponent) = (decode(self.n.as_ref())?, decode(self.e.as_ref())?);
        let members = [der_integer(&modulus)?, der_integer(&exponent)?].concat();
        if strip_zeros(&modulus).len() < LEAST_BYTES { None } else { der(0x30, &members) }
    }
}

fn decode(member: Option<&String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(member?).ok()
}

/// A positive INTEGER.
fn der_integer(bytes: &[u8]) -> Option<Vec<u8>> {
    let bytes = strip_zeros(bytes);
    let first = *bytes.first()?;
    let content = if first >= 0x80 { [&[0], bytes].concat() } else { bytes.to_vec() };
    der(0x02, &content)
}

fn strip_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// One element: tag, length, content.
fn der(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(content.len()).ok()?;
    let [high, low] = length.to_be_bytes();
    let header = match length {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        0x100.. => vec![tag, 0x82, high, low],
    };
    Some([header.as_slice(), content].concat())
}
