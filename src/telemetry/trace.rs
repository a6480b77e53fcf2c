//! Where a call stands in a trace of its caller (W3C Trace Context, <https://www.w3.org/TR/trace-context/>).

/// Bytes of a `traceparent` as far as it is understood: version, trace, parent and flags with `-` between them.
const LENGTH: usize = 55;

/// Where the separators stand.
const SEPARATORS: [usize; 3] = [2, 35, 52];

/// The `traceparent` of a request: the trace that it belongs to, and the span that made it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceParent([u8; LENGTH]);

impl TraceParent {
    /// What the header says. `None` if it is malformed, which is as if there were none (section 3.2.2).
    #[must_use]
    pub fn parse(header: &[u8]) -> Option<Self> {
        let (head, rest) = header.split_first_chunk::<LENGTH>()?;
        let is_in_place = head.iter().enumerate().all(|(place, byte)| match byte {
            b'-' => SEPARATORS.contains(&place),
            b'0'..=b'9' | b'a'..=b'f' => !SEPARATORS.contains(&place),
            _ => false,
        });
        let ends = match head.split_at(2).0 {
            b"ff" => false,
            b"00" => rest.is_empty(),
            _ => rest.first().is_none_or(|byte| *byte == b'-'),
        };
        let parent = Self(*head);
        let is_set = |id: &str| id.bytes().any(|digit| digit != b'0');
        (is_in_place && ends && is_set(parent.trace_id()) && is_set(parent.span_id())).then_some(parent)
    }

    /// The trace, 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        self.part(3, 32)
    }

    /// The span of the caller, 16 lower-case hexadecimal digits.
    #[must_use]
    pub fn span_id(&self) -> &str {
        self.part(36, 16)
    }

    /// Whether the caller keeps the trace.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        u8::from_str_radix(self.part(53, 2), 16).is_ok_and(|flags| flags & 1 == 1)
    }

    fn part(&self, start: usize, length: usize) -> &str {
        let part = self.0.get(start..start + length).and_then(|part| str::from_utf8(part).ok());
        part.unwrap_or_default()
    }
}

/// Where a request stands in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace<'h> {
    /// Its trace and the span that made it.
    pub parent: TraceParent,
    /// What tracing systems pass on in `tracestate`; empty without one, or with one that is too long to pass on.
    pub state: &'h str,
}

impl std::fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.part(0, LENGTH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn well_formed_headers_are_understood_and_others_are_as_if_they_were_not_there() {
        let zeros = "0".repeat(32);
        for (header, understood) in [
            (format!("00-{TRACE}-{SPAN}-01"), true),
            (format!("00-{TRACE}-{SPAN}-00"), true),
            (format!("01-{TRACE}-{SPAN}-01"), true),
            (format!("01-{TRACE}-{SPAN}-01-more"), true),
            (format!("01-{TRACE}-{SPAN}-01more"), false),
            (format!("00-{TRACE}-{SPAN}-01-more"), false),
            (format!("ff-{TRACE}-{SPAN}-01"), false),
            (format!("00-{}-{SPAN}-01", TRACE.to_uppercase()), false),
            (format!("00-{zeros}-{SPAN}-01"), false),
            (format!("00-{TRACE}-{}-01", zeros.split_at(16).0), false),
            (format!("00-{TRACE}-{SPAN}"), false),
            (format!("00-{TRACE}-{SPAN}-0"), false),
            (format!("00_{TRACE}-{SPAN}-01"), false),
            (format!("0-{TRACE}0-{SPAN}-01"), false),
            (format!(" 0-{TRACE}-{SPAN}-01"), false),
            (format!("00-{}é-{SPAN}-01", TRACE.split_at(30).0), false),
            (String::new(), false),
        ] {
            let parent = TraceParent::parse(header.as_bytes());
            assert_eq!(parent.is_some(), understood, "{header}");
            if let Some(parent) = parent {
                assert_eq!((parent.trace_id(), parent.span_id()), (TRACE, SPAN), "{header}");
                assert_eq!(parent.is_sampled(), header.contains("-01"), "{header}");
            }
        }
    }
}
