//! File paths of Unix and Windows, as text: nothing is looked up on a disk.
//!
//! A path with a backslash, a drive (`C:`) or a share (`\\host\share`) is a Windows path.
//! Source: the peer's path functions, which follow Go's `path/filepath`.

mod form;
mod glob;

use super::strings::not_texts;
use super::{CallCx, CallError, Function, Outcome, Overload, Ty, only_text};
use crate::expr::val::Val;
use crate::expr::wording;
use form::Path;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function { name: "basePath", overloads: TEXT_TO_TEXT, call: base_path },
    Function { name: "dirPath", overloads: TEXT_TO_TEXT, call: dir_path },
    Function { name: "extPath", overloads: TEXT_TO_TEXT, call: ext_path },
    Function {
        name: "joinPath",
        overloads: &[Overload::function(&[Ty::List(&Ty::String)], Ty::String)],
        call: join_path,
    },
    Function { name: "pathHasPrefix", overloads: TWO_TEXTS_TO_BOOL, call: path_has_prefix },
    Function { name: "pathMatch", overloads: TWO_TEXTS_TO_BOOL, call: path_match },
    Function {
        name: "pathMatchAnyOf",
        overloads: &[
            Overload::function(&[Ty::String, Ty::List(&Ty::String)], Ty::Bool),
            Overload::method(&[Ty::String, Ty::List(&Ty::String)], Ty::Bool),
        ],
        call: path_match_any_of,
    },
    Function {
        name: "relPath",
        overloads: &[Overload::function(&[Ty::String, Ty::String], Ty::String)],
        call: rel_path,
    },
    Function { name: "volumeName", overloads: TEXT_TO_TEXT, call: volume_name },
];

const TEXT_TO_TEXT: &[Overload] = &[Overload::function(&[Ty::String], Ty::String)];

const TWO_TEXTS_TO_BOOL: &[Overload] = &[
    Overload::function(&[Ty::String, Ty::String], Ty::Bool),
    Overload::method(&[Ty::String, Ty::String], Ty::Bool),
];

/// The last element.
fn base_path<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let path = parse(cx, only_text(args)?)?;
    Ok(Val::string(path.base()))
}

/// All but the last element.
fn dir_path<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let path = parse(cx, only_text(args)?)?;
    Ok(Val::string(&path.dir()))
}

/// The extension with its dot, or nothing.
fn ext_path<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let path = parse(cx, only_text(args)?)?;
    let base = path.value.rsplit('/').next().unwrap_or_default();
    Ok(Val::string(base.rfind('.').and_then(|dot| base.get(dot..)).unwrap_or_default()))
}

/// The drive or share of a Windows path, or nothing.
fn volume_name<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let text = only_text(args)?;
    cx.charge_bytes(text.len())?;
    Ok(Val::string(form::volume(text)))
}

/// All elements below the first; the form of the first is the form of the result.
fn join_path<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::List(list)] = args else {
        return Err(CallError::no_overload());
    };
    cx.charge(list.len())?;
    let mut elements = Vec::new();
    for item in list.iter() {
        let Val::String(element) = &item else {
            return Err(not_texts(list, &item));
        };
        cx.charge_bytes(element.as_str().len())?;
        elements.push(element.as_str().to_owned());
    }
    match elements.as_slice() {
        [] => Ok(Val::string("")),
        [only] => Ok(Val::string(only)),
        [first, rest @ ..] => Ok(Val::string(&Path::parse(first).join(rest).text())),
    }
}

/// The way from the base to the target.
fn rel_path<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::String(base), Val::String(target)] = args else {
        return Err(CallError::no_overload());
    };
    let (from, to) = (parse(cx, base.as_str())?, parse(cx, target.as_str())?);
    let way = to.way_from(&from).ok_or_else(|| no_way(base.as_str(), target.as_str()))?;
    Ok(Val::string(&to.write_way(&way)))
}

/// Whole elements count: `/ab` is not below `/a`. A path is its own prefix, but a prefix that ends in a separator
/// means what is below it.
fn path_has_prefix<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::String(path), Val::String(prefix)] = args else {
        return Err(CallError::no_overload());
    };
    let (path, prefix) = (path.as_str(), prefix.as_str());
    let (inner, outer) = (parse(cx, path)?, parse(cx, prefix)?);
    let way = inner.way_from(&outer).ok_or_else(|| no_way(prefix, path))?;
    let ends_in_separator = |text: &str| text.ends_with(['/', '\\']);
    Ok(Val::Bool(match way.first() {
        None => ends_in_separator(path) || !ends_in_separator(prefix),
        Some(first) => *first != "..",
    }))
}

fn path_match<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::String(path), Val::String(pattern)] = args else {
        return Err(CallError::no_overload());
    };
    let path = parse(cx, path.as_str())?;
    matches(cx, &path, pattern.as_str()).map(Val::Bool)
}

fn path_match_any_of<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::String(path), Val::List(patterns)] = args else {
        return Err(CallError::no_overload());
    };
    let path = parse(cx, path.as_str())?;
    for pattern in patterns.iter() {
        cx.charge(1)?;
        let Val::String(pattern) = &pattern else {
            return Err(not_texts(patterns, &pattern));
        };
        if matches(cx, &path, pattern.as_str())? {
            return Ok(Val::Bool(true));
        }
    }
    Ok(Val::Bool(false))
}

fn matches(cx: &CallCx<'_>, path: &Path, pattern: &str) -> Result<bool, CallError> {
    cx.charge_bytes(pattern.len().saturating_mul(path.value.len() + 1))?;
    let malformed = || {
        let (pattern, path) = (wording::quoted(pattern), wording::quoted(&path.value));
        CallError::invalid(format!(
            "failed to match pattern {pattern} on path {path}: syntax error in pattern"
        ))
    };
    glob::matches(&Path::parse(pattern).value, &path.value).ok_or_else(malformed)
}

fn no_way(base: &str, target: &str) -> CallError {
    let (base, target) = (wording::shortened(base), wording::shortened(target));
    CallError::invalid(format!(
        "failed to determine relative path of {target}: Rel: can't make {target} relative to {base}"
    ))
}

fn parse(cx: &CallCx<'_>, text: &str) -> Result<Path, CallError> {
    cx.charge_bytes(text.len().saturating_mul(4))?;
    Ok(Path::parse(text))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refuses, s, texts};
    use super::*;
    use Val::Bool;

    #[test]
    fn a_path_has_a_base_a_directory_and_an_extension() {
        let cases = [
            ("/path/to/file.txt", "file.txt", "/path/to", ".txt"),
            ("/a/b.tar.gz", "b.tar.gz", "/a", ".gz"),
            ("/a", "a", "/", ""),
            ("/", "/", "/", ""),
            ("a", "a", ".", ""),
            ("", ".", ".", "."),
            ("a/./b//../c/", "c", "a", ""),
            ("/../x", "x", "/", ""),
            ("../x", "x", "..", ""),
            (r"C:\path\to\f.txt", "f.txt", r"C:\path\to", ".txt"),
            (r"C:\", "C:", r"C:\", ""),
            (r"\\host\share\dir", "dir", r"\\host\share", ""),
            (r"\\host\share", "share", r"\\host\share", ""),
            (r"path\to\f", "f", r"path\to", ""),
        ];
        for (path, base, dir, ext) in cases {
            check("basePath", &[s(path)], &s(base));
            check("dirPath", &[s(path)], &s(dir));
            check("extPath", &[s(path)], &s(ext));
        }
    }

    #[test]
    fn volumes_are_drives_and_shares() {
        for (path, volume) in [
            ("/a", ""),
            (r"C:\a", "C:"),
            ("C:", "C:"),
            (r"\\host\share\a", r"\\host\share"),
            (r"\\host\share", r"\\host\share"),
            (r"\\host", ""),
            (r"\\\share", ""),
        ] {
            check("volumeName", &[s(path)], &s(volume));
        }
    }

    #[test]
    fn elements_are_joined_below_the_first() {
        for (elements, joined) in [
            (["/a", "b", "../c"].as_slice(), "/a/c"),
            (&["/a", "/b"], "/a/b"),
            (&[r"C:\a", "b", "c.txt"], r"C:\a\b\c.txt"),
            (&[r"\\host\share", r"dir\x"], r"\\host\share\dir\x"),
            (&["a//b"], "a//b"),
            (&[], ""),
        ] {
            check("joinPath", &[texts(elements)], &s(joined));
        }
    }

    #[test]
    fn the_way_between_two_paths() {
        for (base, target, way) in [
            ("/a/b", "/a/b/c/d", "c/d"),
            ("/path/to", "/path/to", "."),
            ("/path/to/dir", "/path/to/other", "../other"),
            ("/path/to/dir", "/path/to", ".."),
            ("a", ".", ".."),
            (r"C:\path\to", r"C:\path\to\f.txt", "f.txt"),
            (r"\\h\s\o", r"\\h\s\p", r"..\p"),
        ] {
            check("relPath", &[s(base), s(target)], &s(way));
        }
        refuses("relPath", &[s("/a"), s("b")]);
        refuses("relPath", &[s("../a"), s("b")]);
    }

    #[test]
    fn a_prefix_counts_whole_elements() {
        for (path, prefix, expected) in [
            ("/a/b", "/a", true),
            ("/ab", "/a", false),
            ("/a", "/a", true),
            ("/a/", "/a", true),
            ("/a", "/a/", false),
            ("/a/b", "/a/", true),
            ("/", "/", true),
            ("/a/../b", "/a", false),
            ("/x", "/", true),
            ("/a/..b", "/a", true),
            ("a/b", ".", true),
            ("../b", ".", false),
            (r"C:\a\b", r"C:\a", true),
        ] {
            check("pathHasPrefix", &[s(path), s(prefix)], &Bool(expected));
        }
        refuses("pathHasPrefix", &[s("a/b"), s("/")]);
        refuses("pathHasPrefix", &[s("b"), s("../a")]);
    }

    #[test]
    fn patterns_match_whole_paths_within_elements() {
        for (path, pattern, expected) in [
            ("/a/b.zip", "/a/*.zip", true),
            ("/a/x/b.zip", "/a/*.zip", false),
            ("/a/b.zip", "/a/*", true),
            ("/a/b/c", "/a/**", false),
            ("/a/bxbyb", "/a/b*b", true),
            ("/a/b", "/a/?", true),
            ("/a/b", "/a?b", false),
            ("/a/b", "/a/[a-c]", true),
            ("/a/d", "/a/[^a-c]", true),
            ("/a/é", "/a/?", true),
            ("/a", "/a*", true),
            (r"C:\a\b.zip", r"C:\a\*.zip", true),
        ] {
            check("pathMatch", &[s(path), s(pattern)], &Bool(expected));
        }
        for malformed in ["/a/[", "/a/[]", "/a/[a-", "/a/[-a]", "/[^"] {
            refuses("pathMatch", &[s("/x"), s(malformed)]);
        }
        check("pathMatchAnyOf", &[s("/a/b"), texts(&["/x/*", "/a/*"])], &Bool(true));
        check("pathMatchAnyOf", &[s("/a/b"), texts(&[])], &Bool(false));
    }

    #[test]
    fn a_long_pattern_on_a_long_path_is_paid_for() {
        let (path, pattern) = ("a".repeat(100_000), "*a".repeat(5_000));
        refuses("pathMatch", &[s(&path), s(&pattern)]);
    }
}
