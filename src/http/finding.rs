//! A finding about policy text as JSON: on the admin API, and where the command line prints JSON.

use procura_core::policy::{Diagnostic, Severity};
use serde::Serialize;

/// One finding about policy text.
#[derive(Debug, Serialize)]
pub struct Finding<'s> {
    code: &'static str,
    severity: &'static str,
    file: &'s str,
    line: u32,
    column: u32,
    message: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'s str>,
    frame: &'s str,
}

impl<'s> From<&'s Diagnostic> for Finding<'s> {
    fn from(diagnostic: &'s Diagnostic) -> Self {
        let position = &diagnostic.position;
        Self {
            code: diagnostic.code.as_str(),
            severity: match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            file: &position.file,
            line: position.line,
            column: position.column,
            message: &diagnostic.message,
            hint: diagnostic.hint.as_deref(),
            frame: &diagnostic.frame,
        }
    }
}
