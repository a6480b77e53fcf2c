use crate::expr::functions::regex::compile;

#[test]
fn a_pattern_keeps_its_meaning() {
    let cases = [
        (r"^\d+$", "12", true),
        (r"^\d+$", "\u{663}", false),
        (r"^\w+$", "é", false),
        (r"^[\w.]+$", "a.b", true),
        (r"^\D$", "é", true),
        (r"^[^\s]$", "\u{a0}", true),
        (r"\bcat\b", "a cat", true),
        (r"\bcat", "écat", true),
        ("^.$", "é", true),
        ("^[[]$", "[", true),
        ("^[]a]+$", "]a", true),
        ("^[^]]$", "]", false),
        ("^[[:alpha:]-]+$", "a-b", true),
        ("^[a&&b]+$", "a&b", true),
        ("^[--/]$", ".", true),
        ("^[+--]$", ",", true),
        (r"^\[\]$", "[]", true),
        (r"^\\$", "\\", true),
        (r"^\Qa.b\E$", "a.b", true),
        (r"^\Qa.b\E$", "axb", false),
        (r"^\Qab\E*$", "abb", true),
        ("^a{,5}$", "aaa", false),
        ("^a{,5}$", "a{,5}", true),
        ("^a{1, 2}$", "a", false),
        ("^a{01}$", "a", false),
        ("^a{2}?$", "aa", true),
        (r"a\b{start}", "a{start}", true),
        (r"a\<b", "a<b", true),
        (r"^\012\x41\x{e9}$", "\nAé", true),
        ("^(?P<1>a)(?P<1>b)(?)$", "ab", true),
        ("^(?i-s:A)(?U)b+$", "abb", true),
        (r"^[\d\-z]+$", "1-z", true),
        (r"^[^\pL]$", "é", false),
        (r"^\p{^Greek}$", "a", true),
        ("^[<&~-]+$", "~&-<", true),
    ];
    for (pattern, text, expected) in cases {
        let regex = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        assert_eq!(regex.is_match(text), expected, "{pattern} on {text}");
    }
}

#[test]
fn an_invalid_pattern_is_refused_and_the_message_shows_the_part() {
    let cases = [
        ("a(b", "missing closing ): `a(b`"),
        ("a)", "unexpected ): `a)`"),
        ("x[a", "missing closing ]: `[a`"),
        ("[]", "missing closing ]: `[]`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        (r"[a-\d]", r"invalid escape sequence: `\d`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        ("x|*", "missing argument to repetition operator: `*`"),
        ("(?i)+?", "missing argument to repetition operator: `+?`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a???", "invalid nested repetition operator: `???`"),
        ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{2,1}", "invalid repeat count: `{2,1}`"),
        ("(a{100}b){11}", "invalid repeat count: `{11}`"),
        (r"a\", "trailing backslash at end of expression: ``"),
        (r"\q", r"invalid escape sequence: `\q`"),
        (r"(a)\1", r"invalid escape sequence: `\1`"),
        (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
        (r"\p{Foo}", r"invalid character class range: `\p{Foo}`"),
        (r"\pX", r"invalid character class range: `\pX`"),
        ("(?P<x", "invalid named capture: `(?P<x`"),
        ("(?<a-b>c)", "invalid named capture: `(?<a-b>`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?i-)", "invalid or unsupported Perl syntax: `(?i-)`"),
        ("(?x)a b", "invalid or unsupported Perl syntax: `(?x`"),
    ];
    for (pattern, message) in cases {
        assert_eq!(compile(pattern).unwrap_err(), message, "{pattern}");
    }
}
