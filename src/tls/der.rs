//! As much of certificates and revocation lists as nobody else tells: when they end, and the names in them.
//!
//! Reads DER (X.690) of RFC 5280 §4.1 and §5.1. What it is shown comes from hostile hands: anything that is not as
//! expected is `None`.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// The tags of `version` and `extensions` in a certificate.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// The tags of a DNS name and of a URI among the alternative names.
const DNS_NAME: u8 = 0x82;
const URI: u8 = 0x86;

/// 2.5.4.3, `commonName`.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.29.17, `subjectAltName`.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// What a certificate says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Facts<'a> {
    /// When it begins, in Unix seconds.
    pub(super) not_before: i64,
    /// Its last second, in Unix seconds.
    pub(super) not_after: i64,
    /// The common name of whoever issued it.
    pub(super) issuer: Option<&'a str>,
    /// The common name of whom it is about.
    pub(super) subject: Option<&'a str>,
    /// DNS names among its alternative names.
    pub(super) dns_names: Vec<&'a str>,
    /// URIs among its alternative names.
    pub(super) uris: Vec<&'a str>,
}

/// The facts of the certificate in `der`; `None` if it is none.
pub(super) fn facts(der: &[u8]) -> Option<Facts<'_>> {
    let mut signed = Reader(Reader(der).expect(SEQUENCE)?);
    let mut fields = Reader(signed.expect(SEQUENCE)?);
    fields.skip(VERSION);
    fields.expect(INTEGER)?;
    fields.expect(SEQUENCE)?;
    let issuer = common_name(fields.expect(SEQUENCE)?);
    let mut validity = Reader(fields.expect(SEQUENCE)?);
    let (not_before, not_after) = (validity.time()?, validity.time()?);
    let subject = common_name(fields.expect(SEQUENCE)?);
    fields.expect(SEQUENCE)?;
    let mut facts = Facts { not_before, not_after, issuer, subject, ..Facts::default() };
    while let Some((tag, content)) = fields.next() {
        if tag == EXTENSIONS {
            alternative_names(content, &mut facts)?;
        }
    }
    Some(facts)
}

/// The first instant, in Unix seconds, at which the revocation list in `der` is out of date; `None` if it is none.
pub(super) fn next_update(der: &[u8]) -> Option<i64> {
    let mut signed = Reader(Reader(der).expect(SEQUENCE)?);
    let mut fields = Reader(signed.expect(SEQUENCE)?);
    fields.skip(INTEGER);
    fields.expect(SEQUENCE)?;
    fields.expect(SEQUENCE)?;
    fields.time()?;
    fields.time()
}

/// The last common name of a distinguished name, which is the most specific one.
fn common_name(name: &[u8]) -> Option<&str> {
    let mut names = Reader(name);
    let mut found = None;
    while let Some(set) = names.expect(SET) {
        let mut attribute = Reader(Reader(set).expect(SEQUENCE)?);
        if attribute.expect(OBJECT_ID)? == COMMON_NAME {
            let (tag, text) = attribute.next()?;
            let is_text = matches!(tag, UTF8_STRING | PRINTABLE_STRING | IA5_STRING);
            found = str::from_utf8(text).ok().filter(|_| is_text);
        }
    }
    found
}

fn alternative_names<'a>(extensions: &'a [u8], facts: &mut Facts<'a>) -> Option<()> {
    let mut extensions = Reader(Reader(extensions).expect(SEQUENCE)?);
    while let Some(extension) = extensions.expect(SEQUENCE) {
        let mut extension = Reader(extension);
        if extension.expect(OBJECT_ID)? != SUBJECT_ALT_NAME {
            continue;
        }
        let (mut tag, mut value) = extension.next()?;
        if tag != OCTET_STRING {
            (tag, value) = extension.next()?;
        }
        let mut names = Reader(Reader(value).expect(SEQUENCE).filter(|_| tag == OCTET_STRING)?);
        while let Some((tag, name)) = names.next() {
            match tag {
                DNS_NAME => facts.dns_names.push(str::from_utf8(name).ok()?),
                URI => facts.uris.push(str::from_utf8(name).ok()?),
                _ => {}
            }
        }
    }
    Some(())
}

/// Values one after the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next value: its tag and its content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let length = match first {
            0..=0x7f => usize::from(first),
            0x81..=0x84 => {
                let (digits, after) = rest.split_at_checked(usize::from(first - 0x80))?;
                rest = after;
                digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit))
            }
            _ => return None,
        };
        let (content, after) = rest.split_at_checked(length)?;
        self.0 = after;
        Some((tag, content))
    }

    /// The content of the next value if it has this tag; otherwise it stays the next one.
    fn expect(&mut self, expected: u8) -> Option<&'a [u8]> {
        let before = self.0;
        match self.next() {
            Some((tag, content)) if tag == expected => Some(content),
            _ => {
                self.0 = before;
                None
            }
        }
    }

    /// Leaves the next value out if it has this tag.
    fn skip(&mut self, optional: u8) {
        self.expect(optional);
    }

    /// The next value, a time (RFC 5280 §4.1.2.5), in Unix seconds.
    fn time(&mut self) -> Option<i64> {
        let (tag, text) = self.next()?;
        let text = str::from_utf8(text).ok()?;
        let whole = match tag {
            // Years of two digits are those from 1950 to 2049.
            UTC_TIME if text.get(..1)? < "5" => format!("20{text}"),
            UTC_TIME => format!("19{text}"),
            GENERALIZED_TIME => text.to_owned(),
            _ => return None,
        };
        let time = DateTime::strptime("%Y%m%d%H%M%SZ", whole).ok()?;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut value = vec![tag, 0x82];
        value.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        value.extend(content);
        value
    }

    fn named(name: &str) -> Vec<u8> {
        let attribute = [value(OBJECT_ID, COMMON_NAME), value(UTF8_STRING, name.as_bytes())].concat();
        value(SEQUENCE, &value(SET, &value(SEQUENCE, &attribute)))
    }

    fn certificate(names: &[u8]) -> Vec<u8> {
        let validity =
            [value(UTC_TIME, b"491231235959Z"), value(GENERALIZED_TIME, b"20500101000000Z")].concat();
        let extension = [
            value(OBJECT_ID, SUBJECT_ALT_NAME),
            value(0x01, &[0xff]),
            value(OCTET_STRING, &value(SEQUENCE, names)),
        ];
        let fields = [
            value(VERSION, &value(INTEGER, &[2])),
            value(INTEGER, &[1]),
            value(SEQUENCE, &[]),
            named("the authority"),
            value(SEQUENCE, &validity),
            named("the subject"),
            value(SEQUENCE, &[]),
            value(EXTENSIONS, &value(SEQUENCE, &value(SEQUENCE, &extension.concat()))),
        ];
        value(SEQUENCE, &value(SEQUENCE, &fields.concat()))
    }

    #[test]
    fn names_and_times_of_a_certificate_are_found() {
        let names =
            [value(DNS_NAME, b"a.example"), value(URI, b"spiffe://a/b"), value(0x87, &[127, 0, 0, 1])];
        let found = Facts {
            not_before: 2_524_607_999,
            not_after: 2_524_608_000,
            issuer: Some("the authority"),
            subject: Some("the subject"),
            dns_names: vec!["a.example"],
            uris: vec!["spiffe://a/b"],
        };
        assert_eq!(facts(&certificate(&names.concat())), Some(found));
        assert_eq!(facts(&certificate(&value(URI, &[0xff]))), None, "a URI that is no text");
    }

    #[test]
    fn revocation_list_says_when_it_is_out_of_date() {
        let fields = [
            value(INTEGER, &[1]),
            value(SEQUENCE, &[]),
            named("the authority"),
            value(UTC_TIME, b"700101000000Z"),
            value(UTC_TIME, b"700102000000Z"),
        ];
        assert_eq!(next_update(&value(SEQUENCE, &value(SEQUENCE, &fields.concat()))), Some(86_400));
        assert_eq!(next_update(&value(SEQUENCE, &value(SEQUENCE, &fields[..4].concat()))), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), at in 0..400_usize, by: u8) {
            facts(&bytes);
            next_update(&bytes);
            let mut changed = certificate(&value(URI, b"spiffe://a/b"));
            if let Some(byte) = changed.get_mut(at) {
                *byte ^= by;
            }
            facts(&changed);
        }
    }
}
