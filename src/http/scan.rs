//! A reader of JSON text that takes the bodies callers usually send, and gives up on all others.
//!
//! It knows no errors: `None` means that serde shall read the text, which then accepts it or says what is wrong. Whatever
//! this reader takes, serde takes as well, and understands the same.

use std::borrow::Cow;

use procura_core::limits::VALUE_DEPTH;
use procura_core::value::text::plain;
use procura_core::value::{Map, Value};

/// Entries that a map has room for once it has one: most maps of attributes need no more.
const FIRST_ENTRIES: usize = 12;

/// Most digits of a number: any so many fit a `u64`.
const MAX_DIGITS: usize = 18;

/// The powers of ten up to [`MAX_DIGITS`], which a double holds exactly.
const POWERS: [f64; MAX_DIGITS + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

/// A place in a JSON text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    /// The beginning of `text`, if that is UTF-8.
    pub(super) fn new(text: &'a [u8]) -> Option<Self> {
        Some(Self { text: str::from_utf8(text).ok()?, at: 0 })
    }

    /// Nothing but white space follows.
    pub(super) fn end(mut self) -> Option<()> {
        self.next().is_none().then_some(())
    }

    /// Reads an object; `member` reads each member: its name ([`Scanner::named`]) and its value.
    #[inline(always)]
    pub(super) fn object(&mut self, mut member: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        if self.next()? == b'}' {
            return self.take(b'}');
        }
        loop {
            self.next()?;
            member(self)?;
            if self.ends(b'}')? {
                return Some(());
            }
        }
    }

    /// Takes `name`, written with its quotes, and the colon behind it, if they follow.
    #[inline(always)]
    pub(super) fn named(&mut self, name: &'static str) -> bool {
        let before = self.at;
        if !self.rest().starts_with(name.as_bytes()) {
            return false;
        }
        self.at += name.len();
        let is_named = self.take(b':').is_some();
        if !is_named {
            self.at = before;
        }
        is_named
    }

    /// Reads a list; `entry` reads each entry.
    #[inline(always)]
    pub(super) fn list(&mut self, mut entry: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(b'[')?;
        if self.next()? == b']' {
            return self.take(b']');
        }
        loop {
            entry(self)?;
            if self.ends(b']')? {
                return Some(());
            }
        }
    }

    /// Reads a string, borrowed where it holds no escapes.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Option<Cow<'a, str>> {
        self.take(b'"')?;
        match self.plain_string() {
            Some(text) => Some(Cow::Borrowed(text)),
            None => self.unescaped().map(Cow::Owned),
        }
    }

    /// Reads the rest of a string without escapes; of any other string it takes nothing. Most of a body is strings: what
    /// reads them is worth its copies.
    #[inline(always)]
    fn plain_string(&mut self) -> Option<&'a str> {
        let start = self.at;
        let end = start + plain(self.text.as_bytes().get(start..)?);
        if self.text.as_bytes().get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        self.text.get(start..end)
    }

    /// Reads `true` or `false`.
    pub(super) fn flag(&mut self) -> Option<bool> {
        match self.next()? {
            b't' => self.word("true").map(|()| true),
            b'f' => self.word("false").map(|()| false),
            _ => None,
        }
    }

    /// Reads the outermost map of attributes.
    pub(super) fn attributes(&mut self) -> Option<Map<'a>> {
        self.map(0)
    }

    /// Reads a map that stands in `depth` others.
    fn map(&mut self, depth: usize) -> Option<Map<'a>> {
        let inner = inner(depth)?;
        self.take(b'{')?;
        if self.next()? == b'}' {
            self.at += 1;
            return Some(Map::default());
        }
        let mut entries = Vec::with_capacity(FIRST_ENTRIES);
        loop {
            let name = self.string()?;
            self.take(b':')?;
            // Most values are strings, and what becomes a value within the list is not moved there.
            if self.next()? == b'"' {
                entries.push((name, Value::String(self.string()?)));
            } else {
                entries.push((name, self.value(inner)?));
            }
            if self.ends(b'}')? {
                return Map::from_entries(entries).ok();
            }
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        match self.next()? {
            b'"' => self.string().map(Value::String),
            b'{' => self.map(depth).map(Value::Map),
            b'[' => self.values(depth).map(Value::List),
            b't' | b'f' => self.flag().map(Value::Bool),
            b'n' => self.word("null").map(|()| Value::Null),
            _ => self.number().map(Value::Number),
        }
    }

    fn values(&mut self, depth: usize) -> Option<Vec<Value<'a>>> {
        let inner = inner(depth)?;
        let mut values = Vec::new();
        self.list(|scanner| {
            values.push(scanner.value(inner)?);
            Some(())
        })?;
        Some(values)
    }

    /// Reads a number without an exponent. Its digits and the power of ten that they are divided by are exact, so the
    /// quotient is the double that is nearest to the text.
    fn number(&mut self) -> Option<f64> {
        const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
        let is_negative = self.peek()? == b'-';
        self.at += usize::from(is_negative);
        let starts_with_zero = self.peek()? == b'0';
        let (digits, whole) = self.digits(0)?;
        if starts_with_zero && whole > 1 {
            return None;
        }
        let magnitude = if self.peek() == Some(b'.') {
            self.at += 1;
            let (digits, fraction) = self.digits(digits)?;
            if whole + fraction > MAX_DIGITS || digits > EXACT {
                return None;
            }
            as_double(digits) / POWERS.get(fraction)?
        } else {
            as_double(digits)
        };
        Some(if is_negative { -magnitude } else { magnitude })
    }

    /// Appends the digits that follow to `before`, and says how many they are: one to [`MAX_DIGITS`].
    fn digits(&mut self, before: u64) -> Option<(u64, usize)> {
        let start = self.at;
        let mut digits = before;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let count = self.at - start;
        (1..=MAX_DIGITS).contains(&count).then_some((digits, count))
    }

    /// The rest of a string that has escapes.
    #[cold]
    fn unescaped(&mut self) -> Option<String> {
        let mut unescaped = String::new();
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(unescaped);
                }
                b'\\' => {
                    self.at += 1;
                    unescaped.push(self.escape()?);
                }
                0..b' ' => return None,
                _ => unescaped.push_str(self.plain()?),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let escape = self.peek()?;
        self.at += 1;
        Some(match escape {
            b'"' | b'\\' | b'/' => char::from(escape),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.code_point(),
            _ => return None,
        })
    }

    /// The character of `\u` and four digits, or of two such escapes that are a surrogate pair.
    fn code_point(&mut self) -> Option<char> {
        let first = self.code_unit()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        self.word("\\u")?;
        let second = self.code_unit()?;
        let is_low = (0xdc00..0xe000).contains(&second);
        is_low.then(|| char::from_u32(0x10000 + ((first & 0x3ff) << 10) + (second & 0x3ff)))?
    }

    fn code_unit(&mut self) -> Option<u32> {
        let digits = self.rest().first_chunk::<4>()?;
        self.at += digits.len();
        digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
    }

    /// Takes what of a string needs no escapes.
    fn plain(&mut self) -> Option<&'a str> {
        let rest = self.text.get(self.at..)?;
        let length = plain(rest.as_bytes());
        self.at += length;
        rest.get(..length)
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.rest().starts_with(word.as_bytes()).then(|| self.at += word.len())
    }

    /// Takes `,` or `end`, and says whether it was the latter.
    #[inline(always)]
    fn ends(&mut self, end: u8) -> Option<bool> {
        let byte = self.next()?;
        self.at += 1;
        if byte == b',' { Some(false) } else { (byte == end).then_some(true) }
    }

    /// Takes `byte`.
    #[inline(always)]
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then(|| self.at += 1)
    }

    /// The next byte that is not white space. It is not taken.
    #[inline(always)]
    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        if byte > b' ' { Some(byte) } else { self.behind_space() }
    }

    fn behind_space(&mut self) -> Option<u8> {
        while let b' ' | b'\n' | b'\r' | b'\t' = self.peek()? {
            self.at += 1;
        }
        self.peek()
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline(always)]
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }
}

/// The depth of what stands in a map or list at `depth`, if that may be there.
fn inner(depth: usize) -> Option<usize> {
    (depth < VALUE_DEPTH).then_some(depth + 1)
}

#[expect(clippy::cast_precision_loss, reason = "numbers are doubles by definition")]
const fn as_double(digits: u64) -> f64 {
    digits as f64
}
