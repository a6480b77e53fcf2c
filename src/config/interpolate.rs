//! `${NAME}` and `${NAME:default}` in a value of the configuration file.

use std::collections::BTreeMap;

/// `text` with each `${NAME}` replaced by the variable, or by its default; `$$` is a `$`, any other `$` is itself.
///
/// A variable without default that is not set is an error, so that a missing secret is never an empty one.
pub(super) fn interpolate(text: &str, environment: &BTreeMap<String, String>) -> Result<String, String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            result.push('$');
            rest = after;
        } else if let Some(reference) = after.strip_prefix('{') {
            let Some((inside, after)) = reference.split_once('}') else {
                return Err("`${` has no closing `}`".into());
            };
            result.push_str(lookup(inside, environment)?);
            rest = after;
        } else {
            result.push('$');
            rest = after;
        }
    }
    result.push_str(rest);
    Ok(result)
}

fn lookup<'a>(inside: &'a str, environment: &'a BTreeMap<String, String>) -> Result<&'a str, String> {
    let (name, default) = match inside.split_once(':') {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    match (environment.get(name), default) {
        (Some(value), _) => Ok(value),
        // The peer writes an empty default as a pair of quotes.
        (None, Some("\"\"")) => Ok(""),
        (None, Some(default)) => Ok(default),
        (None, None) => Err(format!(
            "the environment variable `{name}` is not set; set it or write `${{{name}:default}}`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_become_values() {
        let environment =
            BTreeMap::from([("PORT".to_owned(), "8080".to_owned()), ("EMPTY".to_owned(), String::new())]);
        for (text, want) in [
            ("plain", Ok("plain")),
            (":${PORT}", Ok(":8080")),
            ("${PORT:1}/${NONE:x:y}", Ok("8080/x:y")),
            ("a${EMPTY}b${NONE:}c${NONE:\"\"}", Ok("abc")),
            ("$$PORT costs $5", Ok("$PORT costs $5")),
            ("$${PORT}", Ok("${PORT}")),
            ("${NONE}", Err("the environment variable `NONE` is not set; set it or write `${NONE:default}`")),
            ("${PORT", Err("`${` has no closing `}`")),
            ("end$", Ok("end$")),
        ] {
            assert_eq!(interpolate(text, &environment).as_deref().map_err(String::as_str), want, "{text}");
        }
    }
}
