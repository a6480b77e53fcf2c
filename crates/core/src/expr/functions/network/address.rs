//! Why a text is no IP address or range, in the words of the peer. Only looked for when it is none.

use crate::expr::wording::quoted;

/// Why `text` is no address; `None` if it is one, perhaps with a zone.
pub(super) fn why_no_address(text: &str) -> Option<String> {
    let fault = match text.bytes().find(|b| matches!(b, b'.' | b':' | b'%')) {
        Some(b'.') => v4(text),
        Some(b':') => v6(text),
        Some(_) => Err(Fault { why: "missing IPv6 address", at: "" }),
        None => Err(Fault { why: "unable to parse IP", at: "" }),
    };
    let Fault { why, at } = fault.err()?;
    let place = if at.is_empty() { String::new() } else { format!(" (at {})", quoted(at)) };
    Some(format!("ParseAddr({}): {why}{place}", quoted(text)))
}

/// Why `text` is no address with the length of a prefix.
pub(super) fn why_no_prefix(text: &str) -> String {
    let why = match text.rsplit_once('/') {
        None => "no '/'".to_owned(),
        Some((address, length)) => match why_no_address(address) {
            Some(why) => why,
            None if address.contains('%') => "IPv6 zones cannot be present in a prefix".to_owned(),
            None if is_number(length) => "prefix length out of range".to_owned(),
            None => format!("bad bits after slash: {}", quoted(length)),
        },
    };
    format!("netip.ParsePrefix({}): {why}", quoted(text))
}

/// What is wrong, and the text from there on where that is told.
struct Fault<'t> {
    why: &'static str,
    at: &'t str,
}

fn fault<'t>(why: &'static str, at: &'t str) -> Result<(), Fault<'t>> {
    Err(Fault { why, at })
}

fn is_number(length: &str) -> bool {
    let leading = length.len() > 1 && length.starts_with('0');
    !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit()) && !leading
}

fn v4(text: &str) -> Result<(), Fault<'_>> {
    let mut field = String::new();
    let mut dots = 0;
    for (at, c) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        match c {
            '0'..='9' if field == "0" => return fault("IPv4 field has octet with leading zero", ""),
            '0'..='9' => {
                field.push(c);
                if field.parse::<u8>().is_err() {
                    return fault("IPv4 field has value >255", "");
                }
            }
            '.' if field.is_empty() || rest.len() == 1 => {
                return fault("IPv4 field must have at least one digit", rest);
            }
            '.' if dots == 3 => return fault("IPv4 address too long", ""),
            '.' => {
                dots += 1;
                field.clear();
            }
            _ => return fault("unexpected character", rest),
        }
    }
    if dots < 3 { fault("IPv4 address too short", "") } else { Ok(()) }
}

fn v6(text: &str) -> Result<(), Fault<'_>> {
    let (address, zone) = text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
    if zone == Some("") {
        return fault("zone must be a non-empty string", "");
    }
    let mut groups = Groups { rest: address, filled: 0, gap: false };
    if let Some(rest) = address.strip_prefix("::") {
        groups = Groups { rest, gap: true, ..groups };
    }
    while groups.filled < ADDRESS_BYTES && !(groups.gap && groups.rest.is_empty()) {
        if !groups.next()? {
            break;
        }
    }
    match groups {
        Groups { rest, .. } if !rest.is_empty() => fault("trailing garbage after address", rest),
        Groups { filled: ADDRESS_BYTES, gap: true, .. } => {
            fault("the :: must expand to at least one field of zeros", "")
        }
        Groups { filled, gap: false, .. } if filled < ADDRESS_BYTES => fault("address string too short", ""),
        _ => Ok(()),
    }
}

const ADDRESS_BYTES: usize = 16;

/// The groups of an IPv6 address while they are read.
struct Groups<'t> {
    rest: &'t str,
    /// Bytes of the address that are known.
    filled: usize,
    /// Whether there was a `::`.
    gap: bool,
}

impl<'t> Groups<'t> {
    /// Reads one group and the colon behind it; whether there may be more.
    fn next(&mut self) -> Result<bool, Fault<'t>> {
        let text = self.rest;
        let digits = text.bytes().take_while(u8::is_ascii_hexdigit).count();
        let after = text.get(digits..).unwrap_or_default();
        if digits > 4 {
            fault("each group must have 4 or less digits", text)?;
        }
        if digits == 0 {
            fault("each colon-separated field must have at least one digit", text)?;
        }
        if after.starts_with('.') {
            self.embedded(text)?;
            return Ok(false);
        }
        self.filled += 2;
        self.rest = after;
        let Some(next) = after.strip_prefix(':') else {
            if !after.is_empty() {
                fault("unexpected character, want colon", after)?;
            }
            return Ok(false);
        };
        if next.is_empty() {
            fault("colon must be followed by more characters", after)?;
        }
        self.rest = next;
        if let Some(behind) = next.strip_prefix(':') {
            if self.gap {
                fault("multiple :: in address", next)?;
            }
            self.gap = true;
            self.rest = behind;
        }
        Ok(true)
    }

    /// An IPv4 address at the end.
    fn embedded(&mut self, text: &'t str) -> Result<(), Fault<'t>> {
        if !self.gap && self.filled != 12 {
            fault("embedded IPv4 address must replace the final 2 fields of the address", text)?;
        }
        if self.filled > 12 {
            fault("too many hex fields to fit an embedded IPv4 at the end of the address", text)?;
        }
        v4(text)?;
        self.filled += 4;
        self.rest = "";
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_told_with_its_place() {
        let cases = [
            ("abc", "unable to parse IP"),
            ("1.2.3", "IPv4 address too short"),
            ("1.2.3.4.5", "IPv4 address too long"),
            ("1.2.3.256", "IPv4 field has value >255"),
            ("1.2.3.04", "IPv4 field has octet with leading zero"),
            ("1..2.3", "IPv4 field must have at least one digit (at \".2.3\")"),
            ("1.2.3.x", "unexpected character (at \"x\")"),
            (":", "each colon-separated field must have at least one digit (at \":\")"),
            ("1::2::3", "multiple :: in address (at \":3\")"),
            ("1:2:3:4:5:6:7", "address string too short"),
            ("1:2:3:4:5:6:7:8:9", "trailing garbage after address (at \"9\")"),
            ("1:2:3:4:5:6:7::8", "the :: must expand to at least one field of zeros"),
            ("::1%", "zone must be a non-empty string"),
            ("::1:", "colon must be followed by more characters (at \":\")"),
            ("::1g", "unexpected character, want colon (at \"g\")"),
        ];
        for (text, why) in cases {
            assert_eq!(why_no_address(text), Some(format!("ParseAddr(\"{text}\"): {why}")));
        }
        for text in ["1.2.3.4", "::", "1::", "::1.2.3.4", "fe80::1%eth0", "1:2:3:4:5:6:7:8"] {
            assert_eq!(why_no_address(text), None, "{text}");
        }
    }
}
