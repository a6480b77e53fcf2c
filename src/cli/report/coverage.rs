//! What tests cover, for people.

use procura_core::suite::{Coverage, FileCoverage, Gap, Missing, Share};

/// The summary, file by file, with what is not covered.
pub(super) fn text(coverage: &Coverage) -> String {
    let mut text = "\nCoverage\n".to_owned();
    for FileCoverage { file, rules, conditions, gaps } in &coverage.files {
        text.push_str(&format!("  {file}: {}\n", shares(*rules, *conditions)));
        for found in gaps {
            text.push_str(&format!("    {}: {}\n", found.position, gap(found)));
        }
    }
    text.push_str(&format!(
        "{} % covered: {}\n",
        coverage.percent(),
        shares(coverage.rules, coverage.conditions)
    ));
    text
}

/// What a gap is.
pub(super) fn gap(Gap { of, expr, missing, .. }: &Gap) -> String {
    let expr = expr.as_deref().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    match missing {
        Missing::Asked => format!("no test asks rule `{of}`"),
        Missing::Applied => format!("rule `{of}` applies in no test"),
        Missing::True => format!("`{expr}` of `{of}` is true in no test"),
        Missing::False => format!("`{expr}` of `{of}` is false in no test"),
    }
}

fn shares(rules: Share, conditions: Share) -> String {
    let share = |Share { covered, total }, what| format!("{covered} of {total} {what}");
    format!("{}, {}", share(rules, "rules"), share(conditions, "outcomes of conditions"))
}
