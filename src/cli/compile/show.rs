//! Lint and compile errors for people, in the order in which the peer shows them.

use super::peer::{Errors, LintErrors};

/// The errors under a heading per kind.
pub(super) fn text(errors: &Errors) -> String {
    match errors {
        Errors::Lint(lint) => lint_text(lint),
        Errors::Compile(compile) => {
            let lines = compile.errors.iter().map(|e| {
                let at = format!("{}:{}:{}", e.file, e.position.line, e.position.column);
                format!("{at} {} <{}>\n{}\n", e.description, e.error, e.context)
            });
            section("Compilation errors", lines)
        }
    }
}

fn lint_text(lint: &LintErrors) -> String {
    let scopes = lint.missing_scope_details.iter().map(|missing| {
        let descendants = missing.descendants.join(", ");
        format!(
            "scoped policy {} is not found but is required by descendant policies {descendants}\n",
            missing.missing_policy
        )
    });
    let duplicates = lint.duplicate_defs.iter().map(|twice| {
        let at = format!("{}:{}:{}", twice.file, twice.position.line, twice.position.column);
        format!(
            "{at} duplicate definition of {} (previous definition in {})\n",
            twice.policy, twice.other_file
        )
    });
    let imports = lint.missing_imports.iter().map(|missing| {
        let (line, column) = (missing.position.line, missing.position.column);
        format!("{}:{line}:{column} {}\n{}\n", missing.importing_file, missing.desc, missing.context)
    });
    let failures = lint.load_failures.iter().map(|failure| {
        let details = &failure.error_details;
        let at = format!("{}:{}:{}", failure.file, details.position.line, details.position.column);
        format!("{at} {}\n{}\n", failure.error, details.context)
    });
    let disabled = lint.disabled_defs.iter().map(|def| format!("{} {} is disabled\n", def.file, def.policy));
    [
        section("Missing scopes", scopes),
        section("Duplicate definitions", duplicates),
        section("Missing imports", imports),
        section("Load failures", failures),
        section("Disabled policies", disabled),
    ]
    .concat()
}

/// `title` and the lines below it; nothing if there are none.
fn section(title: &str, lines: impl Iterator<Item = String>) -> String {
    let lines: String = lines.collect();
    if lines.is_empty() { String::new() } else { format!("{title}\n{lines}\n") }
}
