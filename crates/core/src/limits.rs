//! Every limit of the core in one place, each with the reason for its size.

/// Deepest nesting of attribute values (maps and lists) in a request.
/// Requests are flat in practice; the bound keeps every recursive walk within a small stack.
pub const VALUE_DEPTH: usize = 32;

/// Longest source text of one expression, in bytes.
pub const EXPR_BYTES: usize = 16 * 1024;

/// Most tokens in one expression.
pub const EXPR_TOKENS: usize = 2_000;

/// Deepest nesting of brackets in one expression: the parser recurses over them.
pub const EXPR_DEPTH: usize = 32;

/// Highest syntax tree of one expression: the longest chain of operators, members, indexes or calls.
/// Operands of `&&` and `||` stand side by side and do not count. Every walk over a tree is recursive and inherits
/// this bound.
pub const EXPR_HEIGHT: usize = 256;

/// Cost units that one expression may spend: about one per node evaluated or element touched.
pub const EXPR_COST: u64 = 1_000_000;

/// Cost units that one call may spend: its expressions, and one for each rule looked at for an action or a role.
/// It is the one exception to the rule that order changes no decision: a call that spends its whole budget is denied
/// from there on, and what was decided before that depends on the order of its resources and of the rules.
pub const CALL_COST: u64 = 20_000_000;

/// Most output entries of one call: several for each of the 2500 decisions of the largest call that the server accepts by default.
pub const CALL_OUTPUTS: usize = 20_000;

/// Bytes that the outputs of one call may take together when encoded; leaves room in a record for the request.
pub const CALL_OUTPUT_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of text that one cost unit pays for: reading or copying 16 bytes costs about as much as visiting one
/// element, so [`EXPR_COST`] bounds the text that one expression may build to 16 MB.
pub const BYTES_PER_COST_UNIT: usize = 16;

/// Deepest nesting that a walk over computed values follows.
/// Lists and maps nest through variables that use variables; every recursive walk stays within a small stack.
pub const COMPUTED_DEPTH: usize = 200;

/// Longest source of a regular expression, in bytes.
pub const REGEX_BYTES: usize = 4 * 1024;

/// Largest compiled regular expression, in bytes.
pub const REGEX_PROGRAM_BYTES: usize = 512 * 1024;

/// Most bytes that matching one regular expression may keep between uses, for each direction and thread.
/// A small expression can fill any cache; this one is enough for ordinary ones, the others are matched more slowly.
pub const REGEX_CACHE_BYTES: usize = 64 * 1024;

/// Most bytes that the compiled regular expressions of one policy set take together, equal ones counted once.
/// Thousands of ordinary ones, while two sets fit a small machine during a reload, with what matching adds to each.
pub const REGEX_SET_BYTES: usize = 64 * 1024 * 1024;

/// Cost units for compiling a regular expression during an evaluation, whatever its size.
pub const REGEX_COST: usize = 2_000;

/// Sizes in KiB that a regular expression is given one after the other when its size matters, up to
/// [`REGEX_PROGRAM_BYTES`]: only the attempt tells how large it becomes, so each one is paid for before.
pub const REGEX_PROGRAM_STEPS: [usize; 4] = [4, 32, 128, 512];

/// Cost units for each KiB of such an attempt. Searching with the result costs one unit for each of these KiB and
/// each byte of the text, as the search may have to build a state at every byte.
pub const REGEX_KIB_COST: usize = 150;

/// Cost units for printing a number, an instant or a duration as text.
pub const PRINT_COST: usize = 4;

/// Cost units for looking up a time zone by name, which may mean reading its rules.
pub const TIME_ZONE_COST: usize = 20;

/// Most digits after the point in a `%f` or `%e` clause of `format`.
pub const FORMAT_PRECISION: usize = 100;

/// Most characters of one text of a request or policy that the message of an error repeats.
pub const ERROR_TEXT_CHARS: usize = 256;

/// Largest policy file, in bytes.
pub const POLICY_FILE_BYTES: usize = 1024 * 1024;

/// Deepest nesting of `all`/`any`/`none` blocks in a condition.
pub const CONDITION_DEPTH: usize = 12;

/// Most YAML nodes (maps, lists, scalars) in one policy file, aliases expanded.
/// A file of the largest size with one node every ten bytes; small documents cannot grow past it through aliases.
pub const POLICY_NODES: usize = 100_000;

/// Most bytes of text in one policy file, aliases expanded: room for a few copies of a file of the largest size.
pub const POLICY_TEXT_BYTES: usize = 16 * 1024 * 1024;

/// Most decisions and expectations of all suites of policy tests of a set, counted together: a large set has a few
/// thousand.
pub const SUITE_STEPS: usize = 200_000;

/// Cost units that all suites of policy tests of a set may spend together: a hundred of the largest calls, which takes
/// a minute at most, while an ordinary test spends a few hundred.
pub const SUITE_COST: u64 = 100 * CALL_COST;

/// Most calls of policy tests that are explained because their answer is not as expected.
pub const SUITE_TRACES: usize = 100;

/// Deepest nesting of maps and lists in a policy file: [`CONDITION_DEPTH`] blocks take three levels each.
/// The YAML library recurses; without optimisation this many levels fit a stack of 2 MiB.
pub const POLICY_DEPTH: usize = 48;

/// Stack of a thread that compiles policies, in bytes: nesting is bounded, and this is well above what it needs.
pub const COMPILE_STACK_BYTES: usize = 32 * 1024 * 1024;

/// Most diagnostics reported for one file; a file with more is broken as a whole.
pub const POLICY_DIAGNOSTICS: usize = 100;

/// Longest pattern of actions, in characters.
pub const GLOB_CHARS: usize = 512;

/// Deepest nesting of `{...}` in a pattern of actions.
pub const GLOB_DEPTH: usize = 8;

/// Most segments of the scope of a policy: every scope above it needs a policy of its own.
pub const SCOPE_SEGMENTS: usize = 100;

/// Most problems reported for one action: enough to see what is broken, while a call over thousands of
/// actions and a policy whose every rule errs stays small.
pub const ACTION_PROBLEMS: usize = 16;

/// Most parts of one expression that an explanation lists: more is not read by anybody.
pub const EXPLAINED_READINGS: usize = 64;

/// How deep the parts of an explained expression are listed within each other, variables included.
pub const EXPLAINED_DEPTH: usize = 8;

/// About how many bytes of a value an explanation shows.
pub const EXPLAINED_VALUE_BYTES: usize = 200;

/// Most conditions of which an explanation says that one alone would have turned the answer around.
pub const EXPLAINED_CHANGES: usize = 8;

/// About how many bytes the explanation of one call takes: a large policy for a few actions, or a small one for many.
pub const EXPLANATION_BYTES: usize = 1024 * 1024;

/// Most facts in force that an explanation lists, the newest.
pub const EXPLAINED_SIGNALS: usize = 64;

/// Cost units that explaining one call may spend besides deciding it.
pub const EXPLANATION_COST: u64 = CALL_COST;

/// Cost units for deciding once more to find out what would give the opposite answer, besides what that spends.
pub const EXPLANATION_TRIAL_COST: usize = 1_000;

/// Most expressions without a value that the trail of one resource names.
pub const TRAIL_FAILURES: usize = 100;

/// Largest encoded decision record, in bytes.
/// Room for the largest request body that the server accepts by default (4 MiB) with escapes and outputs; a call
/// whose record would be larger is not answered.
pub const RECORD_BYTES: usize = 16 * 1024 * 1024;

/// Most rules of masking: each is looked at for the members of every call.
pub const MASK_RULES: usize = 64;

/// Most kinds that a rule of masking names.
pub const MASK_KINDS: usize = 64;

/// Longest path of a rule of masking, in bytes and in steps: attributes are nested no deeper.
pub const MASK_PATH_BYTES: usize = 1024;

/// See [`MASK_PATH_BYTES`].
pub const MASK_STEPS: usize = VALUE_DEPTH;

/// Deepest nesting of a schema file: the parser and the check of a file recurse over it.
pub const SCHEMA_DEPTH: usize = 64;

/// Most JSON values in one schema file: one every ten bytes of a file of the largest size.
pub const SCHEMA_VALUES: usize = 100_000;

/// Most schemas that are compiled for one policy set; a schema counts once for each that a policy names and that
/// leads to it.
pub const SCHEMA_NODES: usize = 200_000;

/// Most schemas in a row that look at the same value, each through another.
pub const SCHEMA_CHAIN: usize = 64;

/// How deep validating goes: schemas within schemas along with values within values. Ordinary schemas need two or
/// three for each level of the value; this many fit a stack of 2 MiB without optimisation.
pub const SCHEMA_WALK_DEPTH: usize = 256;

/// Cost units for looking at one value by one schema, and for each mismatch.
pub const SCHEMA_STEP_COST: usize = 4;

/// Most mismatches that are listed for one set of attributes: enough to see what is wrong, while the answer to a large
/// call of which nothing fits stays small.
pub const SCHEMA_MISMATCHES: usize = 100;

/// Longest path and message of a mismatch, in bytes: both can quote what the request holds.
pub const SCHEMA_MISMATCH_BYTES: usize = 4 * 1024;

/// Most bytes of the paths and messages of one set of attributes: those of the largest call that the server accepts by
/// default fit a record together.
pub const SCHEMA_REPORT_BYTES: usize = 64 * 1024;

/// Most actors of a chain of delegation, whatever a server allows.
pub const ACTORS: usize = 16;

/// Most facts in force about one call: each is in its record, and is looked at for each of its resources.
pub const SIGNALS: usize = 1_024;

/// Most things that a call may present for facts to be about: each is looked up.
pub const PRESENTED: usize = 4_096;

/// Longest filter of the decision log, in bytes; it fits the head of a request.
pub const FILTER_BYTES: usize = 8 * 1024;

/// Most comparisons in a filter: each costs a query some microseconds for every 65 536 decisions.
pub const FILTER_COMPARISONS: usize = 128;

/// Deepest nesting of a filter: the parser recurses over it.
pub const FILTER_DEPTH: usize = 32;

/// Longest text in a subject identifier, in bytes: that of the longest SPIFFE id.
pub const SUBJECT_TEXT_BYTES: usize = 2048;

/// Most identifiers in `aliases`, most members of a complex subject, and most addresses in `ip-addresses`.
pub const SUBJECT_PARTS: usize = 16;

/// Most subjects that one event is about, each combination of aliases counted.
pub const EVENT_SUBJECTS: usize = 64;

/// Most events in one SET, aliases counted.
pub const SET_EVENTS: usize = 16;

/// Most audiences in one SET.
pub const SET_AUDIENCES: usize = 64;

/// Longest `jti`, `txn`, state of a verification and URI of an event type, in bytes.
pub const SET_TEXT_BYTES: usize = 512;

/// Most claims in one `token-claims-change`: each is a fact of its own.
pub const CHANGED_CLAIMS: usize = 32;

/// Longest text that a slot takes from an event, for example a `credential_type`, in bytes.
pub const SLOT_TEXT_BYTES: usize = 128;

/// Most values in the content of one fact, counted with those within them.
pub const FACT_VALUES: usize = 1_000;

/// Most bytes of text in the content of one fact, keys counted.
pub const FACT_TEXT_BYTES: usize = 16 * 1024;

/// Most rules by which one source says what its identifiers mean.
pub const SUBJECT_RULES: usize = 64;
