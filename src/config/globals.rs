//! `engine.globals`: the values that conditions read by name.

use procura_core::policy::is_identifier;
use procura_core::value::Map;

/// Largest map of globals as JSON, in bytes: every record holds a copy.
const MAX_BYTES: usize = 64 * 1024;

/// The globals in the JSON text `text`, or what is wrong with them: the path of the member below, and how to mend it.
pub(super) fn read(text: &str) -> Result<Map<'static>, Vec<(String, String)>> {
    let whole = |advice: String| Err(vec![(String::new(), advice)]);
    if text.len() > MAX_BYTES {
        return whole(format!("has {} bytes of JSON, the limit is {MAX_BYTES}", text.len()));
    }
    let globals: Map<'_> = match serde_json::from_str(text) {
        Ok(globals) => globals,
        Err(error) => {
            let error = error.to_string();
            let advice = error.rsplit_once(" at line ").map_or(error.as_str(), |(advice, _)| advice);
            return whole(format!("must be a map of names to values: {advice}"));
        }
    };
    let wrong = globals.iter().filter(|(name, _)| !is_identifier(name));
    let problems: Vec<_> = wrong.map(|(name, _)| (format!(".{name}"), ADVICE.to_owned())).collect();
    if problems.is_empty() { Ok(globals.into_owned()) } else { Err(problems) }
}

const ADVICE: &str =
    "must have a name that expressions can use: letters, digits and `_`, and no word of the language";

#[cfg(test)]
mod tests {
    use procura_core::value::Value;

    use super::*;

    #[test]
    fn globals_are_any_json_under_names() {
        let globals = read(r#"{"b": {"x.y": [1, null]}, "a": 1.5}"#).unwrap();
        assert_eq!(globals.get("a"), Some(&Value::Number(1.5)));
        assert_eq!(serde_json::to_string(&globals).unwrap(), r#"{"a":1.5,"b":{"x.y":[1,null]}}"#);
        assert!(read("{}").unwrap().is_empty());
        assert!(read("null").unwrap().is_empty());
    }

    #[test]
    fn wrong_globals_are_told_how_to_be_mended() {
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(40), "]".repeat(40));
        let large = format!("{{\"a\": \"{}\"}}", "x".repeat(MAX_BYTES));
        for (text, member, advice) in [
            ("[1]", "", "must be a map"),
            (r#""text""#, "", "must be a map"),
            (r#"{"a-b": 1}"#, ".a-b", "letters, digits and `_`"),
            (r#"{"in": 1}"#, ".in", "no word of the language"),
            (deep.as_str(), "", "deeper than 32"),
            (large.as_str(), "", "the limit is 65536"),
        ] {
            let problems = read(text).unwrap_err();
            assert!(problems[0].0 == member && problems[0].1.contains(advice), "{problems:?}");
        }
    }
}
