//! What every engine is asked.

use serde_json::{Value, json};

/// May the principal with these roles perform the action on its own leave request of this status?
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) roles: &'static [&'static str],
    pub(crate) action: &'static str,
    pub(crate) status: &'static str,
    /// What every engine must answer.
    pub(crate) allowed: bool,
}

const EMPLOYEE: &[&str] = &["employee"];
const MANAGER: &[&str] = &["employee", "manager"];

pub(crate) const QUESTIONS: [Question; 6] = [
    Question { roles: EMPLOYEE, action: "view", status: "PENDING", allowed: true },
    Question { roles: EMPLOYEE, action: "create", status: "PENDING", allowed: true },
    Question { roles: EMPLOYEE, action: "approve", status: "PENDING", allowed: false },
    Question { roles: EMPLOYEE, action: "delete", status: "PENDING", allowed: true },
    Question { roles: MANAGER, action: "approve", status: "PENDING", allowed: true },
    Question { roles: MANAGER, action: "delete", status: "ARCHIVED", allowed: false },
];

/// Attributes of the principal.
pub(crate) fn principal() -> Value {
    json!({
        "department": "marketing", "geography": "GB", "team": "design",
        "manages": ["marketing", "finance"], "address": "10.20.5.5",
    })
}

/// Attributes of the resource.
pub(crate) fn resource(status: &str) -> Value {
    json!({
        "owner": "ada", "department": "marketing", "geography": "GB", "id": "LR-0", "team": "design",
        "locked": false, "status": status, "tags": [],
    })
}
