//! Which tests to run: patterns for suites, tests, principals, resources and actions.

use crate::policy::Glob;

/// Which tests to run. Within a dimension one of the patterns has to match, and every dimension that has patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    suites: Vec<Glob>,
    tests: Vec<Glob>,
    principals: Vec<Glob>,
    resources: Vec<Glob>,
    actions: Vec<Glob>,
}

/// Why a text is no filter: lower-case, no final stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid test filter: {0}")]
pub struct FilterError(String);

impl Filter {
    /// Adds the patterns of `text`, written as `dimension=pattern,pattern;dimension=pattern`.
    /// The dimensions are `suite`, `test`, `principal`, `resource` and `action`.
    pub fn add(&mut self, text: &str) -> Result<(), FilterError> {
        let mut added = 0;
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let Some((dimension, patterns)) = part.split_once('=') else {
                let message = format!("`{part}` is not of the form `dimension=pattern,pattern`");
                return Err(FilterError(message));
            };
            let list = self.dimension(dimension.trim())?;
            for pattern in patterns.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()) {
                let glob = Glob::parse(pattern).map_err(|e| FilterError(format!("`{pattern}`: {e}")))?;
                list.push(glob);
                added += 1;
            }
        }
        if added == 0 {
            return Err(FilterError("it has no pattern: write `dimension=pattern`".to_owned()));
        }
        Ok(())
    }

    fn dimension(&mut self, name: &str) -> Result<&mut Vec<Glob>, FilterError> {
        match name {
            "suite" => Ok(&mut self.suites),
            "test" => Ok(&mut self.tests),
            "principal" => Ok(&mut self.principals),
            "resource" => Ok(&mut self.resources),
            "action" => Ok(&mut self.actions),
            _ => Err(FilterError(format!(
                "unknown dimension `{name}`: use `suite`, `test`, `principal`, `resource` or `action`"
            ))),
        }
    }

    pub(super) fn has_suite(&self, name: &str) -> bool {
        selects(&self.suites, name)
    }

    pub(super) fn has_test(&self, name: &str) -> bool {
        selects(&self.tests, name)
    }

    pub(super) fn has_principal(&self, name: &str) -> bool {
        selects(&self.principals, name)
    }

    pub(super) fn has_resource(&self, name: &str) -> bool {
        selects(&self.resources, name)
    }

    pub(super) fn has_action(&self, name: &str) -> bool {
        selects(&self.actions, name)
    }
}

/// No pattern selects everything.
fn selects(patterns: &[Glob], name: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(name))
}

#[cfg(test)]
mod tests {
    use super::Filter;

    #[test]
    fn one_pattern_of_every_dimension_has_to_match() {
        let mut filter = Filter::default();
        filter.add(" principal = u, a* ; action=view; ").unwrap();
        filter.add("action=ed?t").unwrap();
        assert!(filter.has_suite("any") && filter.has_test("any") && filter.has_resource("any"));
        assert!(filter.has_principal("u") && filter.has_principal("alice") && !filter.has_principal("bob"));
        assert!(filter.has_action("view") && filter.has_action("edit") && !filter.has_action("delete"));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        let cases = [
            ("principal=u,a;x", "`x` is not of the form `dimension=pattern,pattern`"),
            ("bad=1", "unknown dimension `bad`: use `suite`, `test`, `principal`, `resource` or `action`"),
            ("principal=", "it has no pattern: write `dimension=pattern`"),
            (";", "it has no pattern: write `dimension=pattern`"),
            ("", "it has no pattern: write `dimension=pattern`"),
        ];
        for (text, reason) in cases {
            let error = Filter::default().add(text).unwrap_err().to_string();
            assert_eq!(error, format!("invalid test filter: {reason}"));
        }
        assert!(Filter::default().add("test=[").is_err());
    }
}
