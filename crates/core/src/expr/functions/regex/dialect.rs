//! From the syntax of RE2, which policies are written in, to that of the regular expressions used here.
//!
//! The pattern is read as RE2 reads it, so that it means here what it means there and what is refused there is refused
//! here: `\d`, `\w`, `\s` and `\b` are ASCII, `{` that begins no repetition is itself, `a**` and look-around are
//! mistakes. Every literal is written so that it cannot be taken for an operator of the other syntax.
//! Source: <https://github.com/google/re2/wiki/Syntax>; messages as the peer prints them.

mod class;
mod escape;

/// Highest number of repetitions that may be written, also as the product of nested ones.
const REPETITIONS: u32 = 1000;

/// A pattern in the other syntax.
#[derive(Debug)]
pub(super) struct Translation {
    pub(super) pattern: String,
    /// The first class by a Unicode property, as written: which properties there are is not known here.
    pub(super) property: Option<String>,
}

/// The same pattern in the other syntax; `Err` says what is wrong with it.
pub(super) fn from_re2(pattern: &str) -> Result<Translation, String> {
    let mut translator = Translator {
        pattern,
        rest: pattern,
        out: String::with_capacity(pattern.len()),
        groups: Vec::new(),
        operand: None,
        widest: 1,
        last_repetition: None,
    };
    while let Some(c) = translator.rest.chars().next() {
        translator.step(c)?;
    }
    if translator.groups.is_empty() {
        return Ok(Translation { pattern: translator.out, property: property(pattern) });
    }
    Err(format!("missing closing ): `{pattern}`"))
}

fn property(pattern: &str) -> Option<String> {
    let start = [r"\p{", r"\P{"].into_iter().filter_map(|mark| pattern.find(mark)).min()?;
    let end = pattern.get(start..)?.find('}')?;
    Some(pattern.get(start..=start + end)?.to_owned())
}

struct Translator<'p> {
    pattern: &'p str,
    rest: &'p str,
    out: String,
    /// The groups that are open, each with the widest repetition before it in the group around it.
    groups: Vec<u32>,
    /// What a repetition would repeat, by the most often that something in it is repeated.
    operand: Option<u32>,
    /// The most often that something is repeated in the current group.
    widest: u32,
    /// The text from the repetition that was just read.
    last_repetition: Option<&'p str>,
}

type Translated = Result<(), String>;

impl<'p> Translator<'p> {
    fn step(&mut self, c: char) -> Translated {
        let repetition_before = self.last_repetition.take();
        match c {
            '(' if self.rest.starts_with("(?") => self.flags(),
            '(' => {
                self.skip(1);
                self.open("(");
                Ok(())
            }
            ')' => self.close(),
            '|' => {
                self.skip(1);
                self.out.push('|');
                self.operand = None;
                Ok(())
            }
            '*' | '+' | '?' => self.repeat(1, 1, repetition_before),
            '{' => match counts(self.rest) {
                Some((length, most)) => self.repeat(length, most, repetition_before),
                None => self.literals("{", 1),
            },
            '[' => {
                let (class, length) = class::translate(self.rest)?;
                self.atom(&class, length)
            }
            '\\' => self.escape(),
            '^' | '$' | '.' => self.atom(&c.to_string(), 1),
            other => self.literals(other.encode_utf8(&mut [0; 4]), other.len_utf8()),
        }
    }

    fn skip(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default();
    }

    /// Something that can be repeated, `length` bytes of the pattern.
    fn atom(&mut self, translated: &str, length: usize) -> Translated {
        self.skip(length);
        self.out.push_str(translated);
        self.operand = Some(1);
        Ok(())
    }

    /// Characters that stand for themselves; a repetition repeats the last one.
    fn literals(&mut self, text: &str, length: usize) -> Translated {
        self.skip(length);
        for c in text.chars() {
            escape::push_literal(&mut self.out, c);
            self.operand = Some(1);
        }
        Ok(())
    }

    fn open(&mut self, translated: &str) {
        self.out.push_str(translated);
        self.groups.push(self.widest);
        self.widest = 1;
        self.operand = None;
    }

    fn close(&mut self) -> Translated {
        let Some(before) = self.groups.pop() else {
            return Err(format!("unexpected ): `{}`", self.pattern));
        };
        let inside = self.widest;
        self.widest = before.max(inside);
        self.atom(")", 1)?;
        self.operand = Some(inside);
        Ok(())
    }

    /// A repetition of `length` bytes that repeats `most` times; a `?` behind it makes it lazy.
    fn repeat(&mut self, length: usize, most: u32, before: Option<&'p str>) -> Translated {
        let start = self.rest;
        let lazy = usize::from(start.get(length..).is_some_and(|after| after.starts_with('?')));
        let written = start.get(..length + lazy).unwrap_or(start);
        self.skip(length + lazy);
        if let Some(before) = before {
            let nested = before.get(..before.len() - self.rest.len()).unwrap_or(before);
            return Err(format!("invalid nested repetition operator: `{nested}`"));
        }
        let Some(inside) = self.operand else {
            return Err(format!("missing argument to repetition operator: `{written}`"));
        };
        let product = inside.saturating_mul(most);
        if product > REPETITIONS {
            return Err(format!("invalid repeat count: `{}`", start.get(..length).unwrap_or(start)));
        }
        self.out.push_str(written);
        self.operand = Some(product);
        self.widest = self.widest.max(product);
        self.last_repetition = Some(start);
        Ok(())
    }

    fn escape(&mut self) -> Translated {
        let mut chars = self.rest.chars();
        match chars.nth(1) {
            Some('Q') => {
                let quoted = chars.as_str();
                let (literal, _) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
                let end = if literal.len() < quoted.len() { 2 } else { 0 };
                self.literals(literal, 2 + literal.len() + end)
            }
            Some('A' | 'z') => self.atom(&self.rest.chars().take(2).collect::<String>(), 2),
            Some('b') => self.atom(r"(?-u:\b)", 2),
            Some('B') => self.atom(r"\B", 2),
            _ => {
                if let Some((class, length)) = escape::class(self.rest)? {
                    return self.atom(&class, length);
                }
                let (c, length) = escape::character(self.rest)?;
                self.literals(c.encode_utf8(&mut [0; 4]), length)
            }
        }
    }

    /// A group that begins with `(?`: flags, or a name.
    fn flags(&mut self) -> Translated {
        let start = self.rest;
        if let Some(name) = start.strip_prefix("(?P<").or_else(|| start.strip_prefix("(?<")) {
            return self.named(start, name);
        }
        let mut flags = Flags::default();
        for (at, c) in start.char_indices().skip(2) {
            let read = start.get(..at + c.len_utf8()).unwrap_or(start);
            match c {
                'i' | 'm' | 's' | 'U' => flags.set(c),
                '-' if !flags.negative => flags.negative = true,
                ':' | ')' if !(flags.negative && flags.off.is_empty()) => {
                    self.skip(read.len());
                    match (c, flags.text()) {
                        (':', flags) => self.open(&format!("(?{flags}:")),
                        // No flags at all change nothing, and the other syntax has no such group.
                        (_, flags) if flags.is_empty() => {}
                        (_, flags) => self.out.push_str(&format!("(?{flags})")),
                    }
                    return Ok(());
                }
                _ => return Err(format!("invalid or unsupported Perl syntax: `{read}`")),
            }
        }
        Err(format!("invalid or unsupported Perl syntax: `{start}`"))
    }

    /// A group with a name, which nothing refers to: it becomes one without.
    fn named(&mut self, start: &str, name: &'p str) -> Translated {
        let Some((name, after)) = name.split_once('>') else {
            return Err(format!("invalid named capture: `{start}`"));
        };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            let written = start.get(..start.len() - after.len()).unwrap_or(start);
            return Err(format!("invalid named capture: `{written}`"));
        }
        self.rest = after;
        self.open("(");
        Ok(())
    }
}

/// The flags of a group, each once: what is switched on, and what is switched off.
#[derive(Default)]
struct Flags {
    on: String,
    off: String,
    negative: bool,
}

impl Flags {
    fn set(&mut self, flag: char) {
        let (to, from) =
            if self.negative { (&mut self.off, &mut self.on) } else { (&mut self.on, &mut self.off) };
        from.retain(|known| known != flag);
        if !to.contains(flag) {
            to.push(flag);
        }
    }

    fn text(&self) -> String {
        if self.off.is_empty() { self.on.clone() } else { format!("{}-{}", self.on, self.off) }
    }
}

/// Length and highest count of `{2}`, `{2,}` or `{2,5}`; `None` if that is not what `text` begins with. Counts that
/// are refused count as too many.
fn counts(text: &str) -> Option<(usize, u32)> {
    let end = text.find('}')?;
    let (least, most) = match text.get(1..end)?.split_once(',') {
        None => (count(text.get(1..end)?)?, None),
        Some((least, "")) => (count(least)?, None),
        Some((least, most)) => (count(least)?, Some(count(most)?)),
    };
    let refused = most.is_some_and(|most| most < least);
    Some((end + 1, if refused { u32::MAX } else { most.unwrap_or(least).max(1) }))
}

/// Digits without leading zeros.
fn count(digits: &str) -> Option<u32> {
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && !leading_zero;
    plain.then(|| digits.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
