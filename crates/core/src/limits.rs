//! Every limit of the core in one place, each with the reason for its size.

/// Deepest nesting of attribute values (maps and lists) in a request.
/// Requests are flat in practice; the bound keeps every recursive walk within a small stack.
pub const VALUE_DEPTH: usize = 32;

/// Longest source text of one expression, in bytes.
pub const EXPR_BYTES: usize = 16 * 1024;

/// Most tokens in one expression.
pub const EXPR_TOKENS: usize = 2_000;

/// Deepest nesting of brackets and prefix operators, and longest chain of calls, members and indexes,
/// in one expression.
/// Every later walk over the tree is recursive and inherits this bound.
pub const EXPR_DEPTH: usize = 32;

/// Cost units that one expression may spend: about one per node evaluated or element touched.
pub const EXPR_COST: u64 = 1_000_000;

/// Cost units that all expressions of one call may spend together.
pub const CALL_COST: u64 = 20_000_000;

/// Largest policy file, in bytes.
pub const POLICY_FILE_BYTES: usize = 1024 * 1024;

/// Deepest nesting of `all`/`any`/`none` blocks in a condition.
pub const CONDITION_DEPTH: usize = 16;

/// Largest encoded decision record, in bytes.
/// Room for the largest request body that the server accepts by default (4 MiB) with escapes and outputs; a call
/// whose record would be larger is not answered.
pub const RECORD_BYTES: usize = 16 * 1024 * 1024;

/// Longest pattern of actions, in characters.
pub const GLOB_CHARS: usize = 512;

/// Deepest nesting of `{...}` in a pattern of actions.
pub const GLOB_DEPTH: usize = 8;

/// Most problems reported for one action: enough to see what is broken, while a call over thousands of
/// actions and a policy whose every rule errs stays small.
pub const ACTION_PROBLEMS: usize = 16;
