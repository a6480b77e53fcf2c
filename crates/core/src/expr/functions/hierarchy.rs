//! Dotted hierarchies: `hierarchy("a.b").ancestorOf(hierarchy("a.b.c"))`.
//!
//! `size(h)` and `h[i]` belong to the standard library. Source: the peer's hierarchy functions.

use std::sync::Arc;

use super::opaque::HIERARCHY;
use super::strings::not_texts;
use super::{CallCx, CallError, Function, Outcome, Overload, Ty};
use crate::expr::val::{Opaque, Val};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function { name: "ancestorOf", overloads: RELATION, call: ancestor_of },
    Function {
        name: "commonAncestors",
        overloads: &[Overload::method(&[HIERARCHY, HIERARCHY], HIERARCHY)],
        call: common_ancestors,
    },
    Function { name: "descendentOf", overloads: RELATION, call: descendent_of },
    Function {
        name: "hierarchy",
        overloads: &[
            Overload::function(&[Ty::String], HIERARCHY),
            Overload::function(&[Ty::String, Ty::String], HIERARCHY),
            Overload::function(&[Ty::List(&Ty::String)], HIERARCHY),
        ],
        call: hierarchy,
    },
    Function { name: "immediateChildOf", overloads: RELATION, call: immediate_child_of },
    Function { name: "immediateParentOf", overloads: RELATION, call: immediate_parent_of },
    Function { name: "overlaps", overloads: RELATION, call: overlaps },
    Function { name: "siblingOf", overloads: RELATION, call: sibling_of },
];

const RELATION: &[Overload] = &[Overload::method(&[HIERARCHY, HIERARCHY], Ty::Bool)];

/// From text with a delimiter (`.` unless given) or from the list of segments.
fn hierarchy<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::String(text)] => split(cx, text.as_str(), "."),
        [Val::String(text), Val::String(delimiter)] => split(cx, text.as_str(), delimiter.as_str()),
        [Val::List(list)] => {
            cx.charge(list.len())?;
            let mut segments = Vec::new();
            for item in list.iter() {
                let Val::String(segment) = item else {
                    return Err(not_texts(list, &item));
                };
                cx.charge_bytes(segment.as_str().len())?;
                segments.push(segment.as_str().to_owned());
            }
            Ok(value(segments))
        }
        _ => Err(CallError::no_overload()),
    }
}

fn split<'r>(cx: &CallCx<'_>, text: &str, delimiter: &str) -> Outcome<'r> {
    cx.charge_bytes(text.len())?;
    let segments = if delimiter.is_empty() {
        cx.charge(text.len())?;
        text.chars().map(String::from).collect()
    } else {
        cx.charge(text.matches(delimiter).count())?;
        text.split(delimiter).map(str::to_owned).collect()
    };
    Ok(value(segments))
}

fn ancestor_of<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (this, other) = pair(cx, args)?;
    Ok(Val::Bool(other.len() > this.len() && other.starts_with(this)))
}

fn descendent_of<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (this, other) = pair(cx, args)?;
    Ok(Val::Bool(this.len() > other.len() && this.starts_with(other)))
}

fn immediate_parent_of<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (this, other) = pair(cx, args)?;
    Ok(Val::Bool(other.len() == this.len() + 1 && other.starts_with(this)))
}

fn immediate_child_of<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (this, other) = pair(cx, args)?;
    Ok(Val::Bool(this.len() == other.len() + 1 && this.starts_with(other)))
}

/// One is a prefix of the other, or both are the same.
fn overlaps<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (this, other) = pair(cx, args)?;
    Ok(Val::Bool(this.starts_with(other) || other.starts_with(this)))
}

/// Same parent; a hierarchy is its own sibling.
fn sibling_of<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (this, other) = pair(cx, args)?;
    Ok(Val::Bool(this.len() == other.len() && parent(this) == parent(other)))
}

/// The longest common prefix that is an ancestor of both; of two hierarchies of one length, at most their parent.
fn common_ancestors<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (this, other) = pair(cx, args)?;
    let (this, other) = if this.len() == other.len() { (parent(this), parent(other)) } else { (this, other) };
    let common = this.iter().zip(other).take_while(|(a, b)| a == b);
    Ok(value(common.map(|(segment, _)| segment.clone()).collect()))
}

fn parent(segments: &[String]) -> &[String] {
    segments.split_last().map_or(&[], |(_, parent)| parent)
}

fn pair<'a>(cx: &CallCx<'_>, args: &'a [Val<'_>]) -> Result<(&'a [String], &'a [String]), CallError> {
    let [Val::Opaque(this), Val::Opaque(other)] = args else {
        return Err(CallError::no_overload());
    };
    let (Opaque::Hierarchy(segments), Opaque::Hierarchy(other_segments)) = (&**this, &**other) else {
        return Err(CallError::no_overload());
    };
    cx.charge(segments.len().min(other_segments.len()))?;
    cx.charge_bytes(this.bytes().min(other.bytes()))?;
    Ok((segments, other_segments))
}

fn value<'r>(segments: Vec<String>) -> Val<'r> {
    Val::Opaque(Arc::new(Opaque::Hierarchy(segments)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, check, refuses, s, texts};
    use super::*;
    use Val::Bool;

    fn h(text: &str) -> Val<'static> {
        call("hierarchy", &[s(text)]).unwrap()
    }

    #[test]
    fn a_hierarchy_is_built_from_text_or_segments() {
        check("hierarchy", &[texts(&["a", "b", "c"])], &h("a.b.c"));
        check("hierarchy", &[s("a:b:c"), s(":")], &h("a.b.c"));
        check("hierarchy", &[s("abc"), s("")], &h("a.b.c"));
        refuses("hierarchy", &[h("a.b")]);
        refuses("hierarchy", &[Val::Int(1)]);
        refuses("hierarchy", &[Val::list(vec![Val::Int(1)])]);
    }

    #[test]
    fn hierarchies_relate_by_whole_segments() {
        let cases = [
            ("ancestorOf", "a.b", "a.b.c.d", true),
            ("ancestorOf", "a.b", "a.b", false),
            ("ancestorOf", "a.b", "a.bc.d", false),
            ("descendentOf", "a.b.c.d", "a.b", true),
            ("descendentOf", "a.b", "a.b.c", false),
            ("immediateChildOf", "a.b.c", "a.b", true),
            ("immediateChildOf", "a.b.c.d", "a.b", false),
            ("immediateParentOf", "a.b", "a.b.c", true),
            ("immediateParentOf", "a.b", "a.x.c", false),
            ("overlaps", "a.b.c", "a.b.c.d.e", true),
            ("overlaps", "a.b.x", "a.b.c.d.e", false),
            ("siblingOf", "a.b.c", "a.b.d", true),
            ("siblingOf", "a", "b", true),
            ("siblingOf", "a.b.c", "a.x.c", false),
        ];
        for (name, this, other, expected) in cases {
            check(name, &[h(this), h(other)], &Bool(expected));
        }
        refuses("ancestorOf", &[h("a"), s("a.b")]);
    }

    #[test]
    fn common_ancestors_are_above_both() {
        let common = |this, other, expected: &[&str]| {
            let expected = call("hierarchy", &[texts(expected)]).unwrap();
            check("commonAncestors", &[h(this), h(other)], &expected);
        };
        common("foo.bar.baz.quux", "foo.bar.qux", &["foo", "bar"]);
        common("a.b", "a.b", &["a"]);
        common("a.b", "a.b.c", &["a", "b"]);
        common("a", "b", &[]);
    }
}
