//! Whether somebody who has the secret sent a body: HMAC with SHA-256 over it, as those who send webhooks make it.
//!
//! The header has a prefix and the signature, in hexadecimal digits or in base64: `sha256=…`. It may have several, with
//! spaces between them, while a secret is replaced. Where the time of sending is signed too, it stands in a header of its
//! own, or beside the signature: `t=1795305600,v1=…`. GitHub, Slack, Stripe and Standard Webhooks are each a case of this.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use procura_core::model::Timestamp;
use procura_core::value::hex;
use sha2::{Digest, Sha256};

/// Bytes of a signature.
const BYTES: usize = 32;

/// Shortest secret, in bytes: one that is shorter can be guessed.
const LEAST_SECRET: usize = 16;

/// Most signatures of one header: for the secret before, this one and the next.
const MOST: usize = 8;

/// Longest text of an instant, in digits of seconds since 1970.
const INSTANT_DIGITS: usize = 12;

/// How a source signs.
#[derive(Clone)]
pub struct SignatureSettings {
    /// The header that holds the signature, in lower case.
    pub header: String,
    /// What stands before the signature, for example `sha256=`.
    pub prefix: String,
    /// The secrets, each of which is good. One that begins with `whsec_` is base64 from there on (Standard Webhooks).
    pub secrets: Vec<String>,
    /// Where the instant of sending stands, if it is signed.
    pub sent: Option<Sent>,
    /// What is signed: text with `{body}` in it, and perhaps `{timestamp}` and headers such as `{webhook-id}`. Absent:
    /// `{body}`, after `{timestamp}.` if the instant is signed.
    pub signed: Option<String>,
}

/// The instant of sending, in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The header that holds it, in lower case; if that is the one of the signature, it is a list with commas.
    pub header: String,
    /// What stands before it, for example `t=`.
    pub prefix: String,
    /// How far it may be away from now.
    pub tolerance: Duration,
}

/// Why settings say nothing that could be checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no secret, or a short one.
    #[error("the secret has fewer than {LEAST_SECRET} bytes: use at least {LEAST_SECRET} random ones")]
    Secret,
    /// It is not said what is signed.
    #[error(
        "what is signed has `{{body}}` in it, once, and `{{timestamp}}`, once, if and only if `timestamp` is given"
    )]
    Signed,
}

/// Checks signatures.
pub struct Signature {
    header: String,
    prefix: String,
    keys: Vec<hmac::Key>,
    sent: Option<Sent>,
    signed: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Timestamp,
    Header(String),
    Body,
}

/// Why a body is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// A header that is needed is not there.
    #[error("the signature is missing, or the time of sending or the id that belongs to it")]
    Missing,
    /// What is there is no signature.
    #[error("the signature is not of the form that is configured for this source")]
    Malformed,
    /// It is another one.
    #[error("the signature is not that of this body")]
    Wrong,
    /// It was sent too long ago, or will be.
    #[error("the signature is of another time")]
    Stale,
}

impl Signature {
    /// What `settings` describe.
    ///
    /// # Errors
    /// If that cannot be checked, or shows nothing.
    pub fn new(settings: SignatureSettings) -> Result<Self, SignatureError> {
        let SignatureSettings { header, prefix, secrets, sent, signed } = settings;
        let keys: Option<Vec<_>> = secrets.iter().map(|secret| key(secret)).collect();
        let keys = keys.filter(|keys| !keys.is_empty()).ok_or(SignatureError::Secret)?;
        let default = if sent.is_some() { "{timestamp}.{body}" } else { "{body}" };
        let signed = pieces(signed.as_deref().unwrap_or(default));
        let count = |piece: &Piece| signed.iter().filter(|other| *other == piece).count();
        let is_clear = count(&Piece::Body) == 1 && count(&Piece::Timestamp) == usize::from(sent.is_some());
        if !is_clear {
            return Err(SignatureError::Signed);
        }
        Ok(Self { header, prefix, keys, sent, signed })
    }

    /// A name for what was signed, if `body` was, by somebody who has a secret: the same for the same. `header` finds the
    /// value of a header by its name in lower case.
    ///
    /// # Errors
    /// If it was not, or not now.
    pub fn verify<'h>(
        &'h self,
        header: impl Fn(&str) -> Option<&'h str>,
        body: &'h [u8],
        now: Timestamp,
    ) -> Result<String, NotSigned> {
        let shown = header(&self.header).ok_or(NotSigned::Missing)?;
        let sent = self.sent.as_ref().map(|sent| self.sent_text(sent, &header)).transpose()?;
        let candidates: Vec<_> = self.candidates(shown).collect();
        if candidates.is_empty() {
            return Err(NotSigned::Malformed);
        }
        let parts = self.parts(sent, &header, body).ok_or(NotSigned::Missing)?;
        if !self.keys.iter().any(|key| is_signed(key, &parts, &candidates)) {
            return Err(NotSigned::Wrong);
        }
        // Only what is signed is looked at: nobody else learns what the clock says.
        if !sent.zip(self.sent.as_ref()).is_none_or(|(text, sent)| sent.is_near(text, now)) {
            return Err(NotSigned::Stale);
        }
        let digest = parts.iter().fold(Sha256::new(), Digest::chain_update);
        Ok(hex(&digest.finalize()))
    }

    fn sent_text<'h>(
        &self,
        sent: &Sent,
        header: &impl Fn(&str) -> Option<&'h str>,
    ) -> Result<&'h str, NotSigned> {
        let text = header(&sent.header).ok_or(NotSigned::Missing)?;
        let is_list = sent.header == self.header;
        let mut members = text.split(|c| c == ',' && is_list).map(str::trim);
        members.find_map(|member| member.strip_prefix(&*sent.prefix)).ok_or(NotSigned::Missing)
    }

    /// What of the header may be signatures.
    fn candidates(&self, shown: &str) -> impl Iterator<Item = [u8; BYTES]> {
        let is_list = self.sent.as_ref().is_some_and(|sent| sent.header == self.header);
        let pieces = shown.split(move |c| c == ' ' || (is_list && c == ','));
        pieces.filter_map(|piece| decoded(piece.strip_prefix(&*self.prefix)?)).take(MOST)
    }

    fn parts<'p>(
        &'p self,
        sent: Option<&'p str>,
        header: &impl Fn(&str) -> Option<&'p str>,
        body: &'p [u8],
    ) -> Option<Vec<&'p [u8]>> {
        let part = |piece: &'p Piece| match piece {
            Piece::Text(text) => Some(text.as_bytes()),
            Piece::Timestamp => sent.map(str::as_bytes),
            Piece::Header(name) => header(name).map(str::as_bytes),
            Piece::Body => Some(body),
        };
        self.signed.iter().map(part).collect()
    }
}

impl Sent {
    /// Whether `text` is an instant that is not too far away from `now`.
    fn is_near(&self, text: &str, now: Timestamp) -> bool {
        let is_number = text.len() <= INSTANT_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = text.parse().ok().filter(|_| is_number);
        let sent = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
        sent.is_some_and(|sent| now.duration_since(sent).unsigned_abs() <= self.tolerance)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature").field("header", &self.header).finish_non_exhaustive()
    }
}

impl fmt::Debug for SignatureSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureSettings").field("header", &self.header).finish_non_exhaustive()
    }
}

fn is_signed(key: &hmac::Key, parts: &[&[u8]], candidates: &[[u8; BYTES]]) -> bool {
    let mut context = hmac::Context::with_key(key);
    parts.iter().for_each(|part| context.update(part));
    let good = context.sign();
    candidates.iter().any(|candidate| verify_slices_are_equal(candidate, good.as_ref()).is_ok())
}

/// The key that a secret is, if it is long enough.
fn key(secret: &str) -> Option<hmac::Key> {
    let bytes = match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).ok()?,
        None => secret.as_bytes().to_vec(),
    };
    (bytes.len() >= LEAST_SECRET).then(|| hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// A signature: its length tells in which form it is.
fn decoded(text: &str) -> Option<[u8; BYTES]> {
    if text.len() != 2 * BYTES {
        return STANDARD.decode(text).ok()?.try_into().ok();
    }
    let mut bytes = [0; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let pair = str::from_utf8(pair).ok().filter(|pair| !pair.starts_with('+'))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

/// Text with names in braces, as pieces. Whatever is no name stays text.
fn pieces(text: &str) -> Vec<Piece> {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let mut found = Vec::new();
    for (number, part) in text.split('{').enumerate() {
        let named = part.split_once('}').filter(|(name, _)| number > 0 && is_name(name));
        let rest = match named {
            None if number > 0 => format!("{{{part}"),
            None => part.to_owned(),
            Some((name, rest)) => {
                found.push(match name {
                    "timestamp" => Piece::Timestamp,
                    "body" => Piece::Body,
                    name => Piece::Header(name.to_ascii_lowercase()),
                });
                rest.to_owned()
            }
        };
        if !rest.is_empty() {
            found.push(Piece::Text(rest));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";

    fn settings() -> SignatureSettings {
        SignatureSettings {
            header: "sign".to_owned(),
            prefix: "sha256=".to_owned(),
            secrets: vec![SECRET.to_owned()],
            sent: None,
            signed: None,
        }
    }

    fn tag(secret: &str, text: &str) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), text.as_bytes()).as_ref().to_vec()
    }

    fn verify(
        settings: &SignatureSettings,
        headers: &[(&str, &str)],
        body: &[u8],
        now: i64,
    ) -> Result<String, NotSigned> {
        let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let now = Timestamp::from_second(now).unwrap();
        Signature::new(settings.clone()).unwrap().verify(header, body, now)
    }

    /// The example of GitHub's documentation, "Validating webhook deliveries".
    #[test]
    fn signature_of_the_documentation_is_good_and_any_other_is_not() {
        let good = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let base64 = STANDARD.encode(tag(SECRET, "Hello, World!"));
        let wrong = good.replace('7', "8");
        for (value, body, expected) in [
            (format!("sha256={good}"), BODY, None),
            (format!("sha256={}", good.to_uppercase()), BODY, None),
            (format!("sha256={base64}"), BODY, None),
            (format!("sha256={wrong} sha256={good}"), BODY, None),
            (format!("sha256={good}"), b"Hello, World", Some(NotSigned::Wrong)),
            (format!("sha256={good}"), b"", Some(NotSigned::Wrong)),
            (format!("sha256={wrong}"), BODY, Some(NotSigned::Wrong)),
            (good.to_owned(), BODY, Some(NotSigned::Malformed)),
            (format!("sha1={good}"), BODY, Some(NotSigned::Malformed)),
            (format!("sha256={}", good.get(2..).unwrap()), BODY, Some(NotSigned::Malformed)),
            (format!("sha256=+{}", good.get(1..).unwrap()), BODY, Some(NotSigned::Malformed)),
            (String::new(), BODY, Some(NotSigned::Malformed)),
            (
                format!("{}sha256={good}", format!("sha256={wrong} ").repeat(MOST)),
                BODY,
                Some(NotSigned::Wrong),
            ),
        ] {
            let answer = verify(&settings(), &[("sign", &value)], body, 0);
            assert_eq!(answer.err(), expected, "{value}");
        }
        assert_eq!(verify(&settings(), &[], BODY, 0), Err(NotSigned::Missing));
    }

    fn sent(header: &str, prefix: &str) -> Sent {
        Sent { header: header.into(), prefix: prefix.into(), tolerance: Duration::from_secs(300) }
    }

    #[test]
    fn time_of_sending_is_signed_and_bounded() {
        let text = |text: &str| hex(&tag(SECRET, text));
        let listed = SignatureSettings { prefix: "v1=".into(), sent: Some(sent("sign", "t=")), ..settings() };
        let apart = SignatureSettings {
            prefix: "v0=".into(),
            sent: Some(sent("at", "")),
            signed: Some("v0:{timestamp}:{body}".into()),
            ..settings()
        };
        let with_id = SignatureSettings {
            prefix: "v1,".into(),
            sent: Some(sent("at", "")),
            signed: Some("{ID}.{timestamp}.{body}".into()),
            ..settings()
        };
        let (stamp, plain) = (text("1000.Hello, World!"), text("Hello, World!"));
        let v0 = text("v0:1000:Hello, World!");
        let webhook = STANDARD.encode(tag(SECRET, "msg_1.1000.Hello, World!"));
        for (settings, value, others, now, expected) in [
            (&listed, format!("t=1000,v1={stamp}"), vec![], 1000, None),
            (&listed, format!("t=1000, v1={stamp}"), vec![], 1300, None),
            (&listed, format!("t=1000,v0={plain},v1={plain},v1={stamp}"), vec![], 700, None),
            (&listed, format!("t=1000,v1={stamp}"), vec![], 1301, Some(NotSigned::Stale)),
            (&listed, format!("t=1000,v1={stamp}"), vec![], 699, Some(NotSigned::Stale)),
            (&listed, format!("t=1001,v1={stamp}"), vec![], 1000, Some(NotSigned::Wrong)),
            (&listed, format!("v1={stamp}"), vec![], 1000, Some(NotSigned::Missing)),
            (&apart, format!("v0={v0}"), vec![("at", "1000")], 1000, None),
            (&apart, format!("v0={v0}"), vec![("at", "1001")], 1000, Some(NotSigned::Wrong)),
            (&apart, format!("v0={v0}"), vec![], 1000, Some(NotSigned::Missing)),
            (&with_id, format!("v1,{webhook}"), vec![("at", "1000"), ("id", "msg_1")], 1000, None),
            (
                &with_id,
                format!("v1,{webhook}"),
                vec![("at", "1000"), ("id", "msg_2")],
                1000,
                Some(NotSigned::Wrong),
            ),
            (&with_id, format!("v1,{webhook}"), vec![("at", "1000")], 1000, Some(NotSigned::Missing)),
        ] {
            let mut headers = vec![("sign", &*value)];
            headers.extend(&others);
            assert_eq!(verify(settings, &headers, BODY, now).err(), expected, "{value} {others:?} {now}");
        }
        let text = text("soon.Hello, World!");
        let soon = format!("t=soon,v1={text}");
        assert_eq!(verify(&listed, &[("sign", &soon)], BODY, 0), Err(NotSigned::Stale));
    }

    #[test]
    fn every_secret_counts_and_what_is_signed_has_a_name() {
        let encoded = format!("whsec_{}", STANDARD.encode("0123456789abcdef"));
        let both = SignatureSettings { secrets: vec![encoded, SECRET.to_owned()], ..settings() };
        let value = |secret: &str| format!("sha256={}", hex(&tag(secret, "Hello, World!")));
        let names = ["0123456789abcdef", SECRET]
            .map(|secret| verify(&both, &[("sign", &value(secret))], BODY, 0).unwrap());
        assert_eq!(names[0], names[1]);
        assert_eq!(names[0], hex(&Sha256::digest(BODY)));
    }

    #[test]
    fn settings_that_show_nothing_are_refused() {
        let signed = |text: &str| SignatureSettings { signed: Some(text.to_owned()), ..settings() };
        let secrets = |secrets: &[&str]| {
            let secrets = secrets.iter().map(|secret| (*secret).to_owned()).collect();
            SignatureSettings { secrets, ..settings() }
        };
        for (settings, expected) in [
            (secrets(&[]), SignatureError::Secret),
            (secrets(&[SECRET, "0123456789abcde"]), SignatureError::Secret),
            (secrets(&["whsec_MDEyMzQ1Njc4OWFiY2Rl"]), SignatureError::Secret),
            (signed("x"), SignatureError::Signed),
            (signed("{body}{body}"), SignatureError::Signed),
            (signed("{timestamp}{body}"), SignatureError::Signed),
            (SignatureSettings { sent: Some(sent("t", "")), ..signed("{body}") }, SignatureError::Signed),
        ] {
            assert_eq!(Signature::new(settings).err(), Some(expected));
        }
    }

    #[test]
    fn what_is_signed_is_read_as_it_is_written() {
        let text = |text: &str| Piece::Text(text.to_owned());
        let id = || Piece::Header("webhook-id".to_owned());
        for (written, expected) in [
            ("{body}", vec![Piece::Body]),
            ("v0:{timestamp}:{body}", vec![text("v0:"), Piece::Timestamp, text(":"), Piece::Body]),
            ("{Webhook-Id}{body}", vec![id(), Piece::Body]),
            ("a}{{}{body{body}", vec![text("a}"), text("{"), text("{}"), text("{body"), Piece::Body]),
        ] {
            assert_eq!(pieces(written), expected, "{written}");
        }
    }
}
