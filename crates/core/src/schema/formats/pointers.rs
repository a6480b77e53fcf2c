//! `json-pointer` (RFC 6901), `relative-json-pointer` and `uuid` (RFC 4122).

/// Empty, or parts that each begin with `/`; `~` only as `~0` and `~1`.
pub(super) fn is_json_pointer(text: &str) -> bool {
    let escapes_fit = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escapes_fit
}

/// A number, and then `#` or a JSON pointer.
pub(super) fn is_relative_json_pointer(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let Some(number) = text.strip_suffix(rest) else { return false };
    let is_number = !number.is_empty() && (number == "0" || !number.starts_with('0'));
    is_number && (rest == "#" || is_json_pointer(rest))
}

/// Hexadecimal digits in groups of 8, 4, 4, 4 and 12.
pub(super) fn is_uuid(text: &str) -> bool {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    text.split('-').map(str::len).eq(GROUPS)
        && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}
