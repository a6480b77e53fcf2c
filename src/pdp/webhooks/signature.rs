//! Whether somebody who has the secret sent a body: HMAC with SHA-256 over it, as those who send webhooks make it.
//!
//! The header has a prefix and the signature, in hexadecimal digits or in base64: `sha256=…`. It may have several, with
//! spaces between them, while a secret is replaced. Where the time of sending is signed too, it stands in a header of its
//! own, or beside the signature: `t=1795305600,v1=…`.

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
    /// The header that holds the signature.
    pub header: String,
    /// What stands before the signature, for example `sha256=`.
    pub prefix: String,
    /// The secrets, each of which is good.
    pub secrets: Vec<Vec<u8>>,
    /// Where the instant of sending stands, in seconds since 1970, if it is signed.
    pub sent: Option<Sent>,
    /// How far that instant may be away from now.
    pub tolerance: Duration,
    /// What is signed: text with `{body}` in it, and `{timestamp}` and `{id}`. Absent: `{body}`, after `{timestamp}.` if the
    /// instant is signed.
    pub signed: Option<String>,
}

/// Where the instant of sending stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// In a header of this name.
    Header(String),
    /// Beside the signature, as the member of this name.
    Member(String),
}

/// Why settings say nothing that could be checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no secret, or a short one.
    #[error("the secret has fewer than {LEAST_SECRET} bytes: use at least {LEAST_SECRET} random ones")]
    Secret,
    /// It is not said what is signed.
    #[error(
        "`signed` is text with `{{body}}` in it, once, `{{timestamp}}` if and only if `timestamp` is given, and perhaps `{{id}}`"
    )]
    Signed,
}

/// Checks signatures.
pub struct Signature {
    header: String,
    prefix: String,
    keys: Vec<hmac::Key>,
    sent: Option<Sent>,
    tolerance: Duration,
    signed: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Timestamp,
    Id,
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
        let SignatureSettings { header, prefix, secrets, sent, tolerance, signed } = settings;
        if secrets.is_empty() || secrets.iter().any(|secret| secret.len() < LEAST_SECRET) {
            return Err(SignatureError::Secret);
        }
        let default = if sent.is_some() { "{timestamp}.{body}" } else { "{body}" };
        let signed = pieces(signed.as_deref().unwrap_or(default));
        let count = |piece: &Piece| signed.iter().filter(|other| *other == piece).count();
        let is_clear = count(&Piece::Body) == 1
            && count(&Piece::Timestamp) == usize::from(sent.is_some())
            && count(&Piece::Id) <= 1;
        if !is_clear {
            return Err(SignatureError::Signed);
        }
        let keys = secrets.iter().map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret)).collect();
        Ok(Self { header, prefix, keys, sent, tolerance, signed })
    }

    /// Whether the id of an event is part of what is signed.
    #[must_use]
    pub fn covers_id(&self) -> bool {
        self.signed.contains(&Piece::Id)
    }

    /// A name for what was signed, if `body` was, by somebody who has a secret: the same for the same. `header` finds the
    /// value of a header, `id` is that of the event, if it is part of what is signed.
    ///
    /// # Errors
    /// If it was not, or not now.
    pub fn verify<'h>(
        &self,
        header: impl Fn(&str) -> Option<&'h str>,
        id: Option<&str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<String, NotSigned> {
        let shown = header(&self.header).ok_or(NotSigned::Missing)?;
        let sent = match &self.sent {
            None => None,
            Some(Sent::Header(name)) => Some(header(name).ok_or(NotSigned::Missing)?),
            Some(Sent::Member(name)) => Some(member(shown, name).ok_or(NotSigned::Missing)?),
        };
        let candidates: Vec<_> = self.candidates(shown).collect();
        if candidates.is_empty() {
            return Err(NotSigned::Malformed);
        }
        let parts = self.parts(sent, id, body).ok_or(NotSigned::Missing)?;
        if !self.keys.iter().any(|key| is_signed(key, &parts, &candidates)) {
            return Err(NotSigned::Wrong);
        }
        // Only what is signed is looked at: nobody else learns what the clock says.
        if !sent.is_none_or(|sent| self.is_of_now(sent, now)) {
            return Err(NotSigned::Stale);
        }
        let digest = parts.iter().fold(Sha256::new(), |digest, part| digest.chain_update(part));
        Ok(hex(&digest.finalize()))
    }

    /// What of the header may be signatures.
    fn candidates(&self, shown: &str) -> impl Iterator<Item = [u8; BYTES]> {
        let is_list = matches!(self.sent, Some(Sent::Member(_)));
        let pieces = shown.split(move |c| c == ' ' || (is_list && c == ','));
        pieces.filter_map(|piece| decoded(piece.strip_prefix(&*self.prefix)?)).take(MOST)
    }

    fn parts<'p>(
        &'p self,
        sent: Option<&'p str>,
        id: Option<&'p str>,
        body: &'p [u8],
    ) -> Option<Vec<&'p [u8]>> {
        let part = |piece: &'p Piece| match piece {
            Piece::Text(text) => Some(text.as_bytes()),
            Piece::Timestamp => sent.map(str::as_bytes),
            Piece::Id => id.map(str::as_bytes),
            Piece::Body => Some(body),
        };
        self.signed.iter().map(part).collect()
    }

    fn is_of_now(&self, sent: &str, now: Timestamp) -> bool {
        let is_number = sent.len() <= INSTANT_DIGITS && sent.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = sent.parse::<i64>().ok().filter(|_| is_number);
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

/// The value of the first `name=` in a list with commas.
fn member<'h>(shown: &'h str, name: &str) -> Option<&'h str> {
    let mut members = shown.split(',').map(str::trim);
    members.find_map(|member| member.strip_prefix(name)?.strip_prefix('='))
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

fn pieces(text: &str) -> Vec<Piece> {
    const NAMED: [(&str, Piece); 3] =
        [("{timestamp}", Piece::Timestamp), ("{id}", Piece::Id), ("{body}", Piece::Body)];
    let (mut found, mut rest) = (Vec::new(), text);
    loop {
        let next = NAMED.iter().filter_map(|(name, piece)| {
            let (before, after) = rest.split_once(name)?;
            Some((before, after, piece))
        });
        let Some((before, after, piece)) = next.min_by_key(|(before, ..)| before.len()) else { break };
        if !before.is_empty() {
            found.push(Piece::Text(before.to_owned()));
        }
        found.push(piece.clone());
        rest = after;
    }
    if !rest.is_empty() {
        found.push(Piece::Text(rest.to_owned()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";

    fn settings() -> SignatureSettings {
        SignatureSettings {
            header: "X-Hub-Signature-256".to_owned(),
            prefix: "sha256=".to_owned(),
            secrets: vec![SECRET.to_vec()],
            sent: None,
            tolerance: Duration::from_secs(300),
            signed: None,
        }
    }

    fn tag(secret: &[u8], text: &str) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes()).as_ref().to_vec()
    }

    fn verify(
        settings: &SignatureSettings,
        headers: &[(&str, &str)],
        body: &[u8],
        now: i64,
    ) -> Result<String, NotSigned> {
        let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let now = Timestamp::from_second(now).unwrap();
        Signature::new(settings.clone()).unwrap().verify(header, header("id"), body, now)
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
            (format!("sha256={}", &good[2..]), BODY, Some(NotSigned::Malformed)),
            (format!("sha256=+{}", &good[1..]), BODY, Some(NotSigned::Malformed)),
            (String::new(), BODY, Some(NotSigned::Malformed)),
            (
                format!("{}sha256={good}", format!("sha256={wrong} ").repeat(MOST)),
                BODY,
                Some(NotSigned::Wrong),
            ),
        ] {
            let answer = verify(&settings(), &[("X-Hub-Signature-256", &value)], body, 0);
            assert_eq!(answer.err(), expected, "{value}");
        }
        assert_eq!(verify(&settings(), &[], BODY, 0), Err(NotSigned::Missing));
    }

    #[test]
    fn time_of_sending_is_signed_and_bounded() {
        let text = |text: &str| hex(&tag(SECRET, text));
        let listed =
            SignatureSettings { prefix: "v1=".into(), sent: Some(Sent::Member("t".into())), ..settings() };
        let apart = SignatureSettings {
            prefix: "v0=".into(),
            sent: Some(Sent::Header("at".into())),
            signed: Some("v0:{timestamp}:{body}".into()),
            ..settings()
        };
        let with_id = SignatureSettings {
            prefix: "v1,".into(),
            sent: Some(Sent::Header("at".into())),
            signed: Some("{id}.{timestamp}.{body}".into()),
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
            let mut headers = vec![("X-Hub-Signature-256", &*value)];
            headers.extend(&others);
            assert_eq!(verify(settings, &headers, BODY, now).err(), expected, "{value} {others:?} {now}");
        }
        let text = text("soon.Hello, World!");
        let soon = format!("t=soon,v1={text}");
        assert_eq!(verify(&listed, &[("X-Hub-Signature-256", &soon)], BODY, 0), Err(NotSigned::Stale));
    }

    #[test]
    fn every_secret_counts_and_what_is_signed_has_a_name() {
        let both = SignatureSettings { secrets: vec![vec![1; 16], SECRET.to_vec()], ..settings() };
        let value = |secret: &[u8]| format!("sha256={}", hex(&tag(secret, "Hello, World!")));
        let names = [&[1; 16][..], SECRET]
            .map(|secret| verify(&both, &[("X-Hub-Signature-256", &value(secret))], BODY, 0).unwrap());
        assert_eq!(names[0], names[1]);
        assert_eq!(names[0], hex(&Sha256::digest(BODY)));
    }

    #[test]
    fn settings_that_show_nothing_are_refused() {
        let signed = |text: &str| SignatureSettings { signed: Some(text.to_owned()), ..settings() };
        for (settings, expected) in [
            (SignatureSettings { secrets: vec![], ..settings() }, SignatureError::Secret),
            (SignatureSettings { secrets: vec![vec![0; 15]], ..settings() }, SignatureError::Secret),
            (signed("x"), SignatureError::Signed),
            (signed("{body}{body}"), SignatureError::Signed),
            (signed("{timestamp}{body}"), SignatureError::Signed),
            (
                SignatureSettings { sent: Some(Sent::Header("t".into())), ..signed("{body}") },
                SignatureError::Signed,
            ),
        ] {
            assert_eq!(Signature::new(settings).err(), Some(expected));
        }
    }
}
