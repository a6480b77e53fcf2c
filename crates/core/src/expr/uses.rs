//! Which of a policy's variables and constants an expression uses, before they are in an order to compile it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ast::{Expr, ExprKind};
use super::error::ExprDiagnostic;
use super::parser;

/// The names `x` of all `V.x` and `variables.x` in `source`; `Err` if it cannot be parsed.
pub fn variables_used(source: &str) -> Result<BTreeSet<String>, Vec<ExprDiagnostic>> {
    let tree = parser::parse(source).map_err(|finding| vec![finding])?;
    let mut walk = Walk { found: BTreeSet::new(), hidden: Vec::new() };
    walk.visit(&tree);
    Ok(walk.found)
}

/// What an expression may use of the names of a policy.
#[derive(Debug, Default)]
pub struct Used {
    /// Variables by name; `None` if it may be any, as with `V[R.attr.x]`.
    pub variables: Option<BTreeSet<String>>,
    /// Constants likewise.
    pub constants: Option<BTreeSet<String>>,
}

/// What `source` may use: everything if it cannot be parsed. A macro's own `V` or `C` counts as that of the policy.
#[must_use]
pub fn names_used(source: &str) -> Used {
    let Ok(tree) = parser::parse(source) else { return Used::default() };
    let mut used = Used { variables: Some(BTreeSet::new()), constants: Some(BTreeSet::new()) };
    used.visit(&tree);
    used
}

impl Used {
    fn visit(&mut self, expr: &Expr) {
        let (root, name) = match &expr.kind {
            ExprKind::Ident { name, .. } => (name, None),
            ExprKind::Select { operand, field, .. } | ExprKind::Has { operand, field } => match &operand.kind
            {
                ExprKind::Ident { name, .. } => (name, Some(field.to_string())),
                _ => return self.visit(operand),
            },
            kind => return kind.for_each_child(&mut |child| self.visit(child)),
        };
        let names = match &**root {
            "V" | "variables" => &mut self.variables,
            "C" | "constants" => &mut self.constants,
            _ => return,
        };
        match (name, &mut *names) {
            (Some(name), Some(used)) => drop(used.insert(name)),
            _ => *names = None,
        }
    }
}

struct Walk {
    found: BTreeSet<String>,
    /// The names that macros introduced around the current expression: they hide `V`.
    hidden: Vec<Arc<str>>,
}

impl Walk {
    fn visit(&mut self, expr: &Expr) {
        if let Some(name) = self.variable(&expr.kind) {
            self.found.insert(name);
        }
        let depth = self.hidden.len();
        match &expr.kind {
            ExprKind::Comprehension(c) => {
                self.visit(&c.range);
                self.hidden.extend(c.variables.iter().cloned());
                c.filter.iter().for_each(|filter| self.visit(filter));
                self.visit(&c.body);
            }
            ExprKind::Bind { name, value: outside, body }
            | ExprKind::OptionalMap { name, operand: outside, body, .. } => {
                self.visit(outside);
                self.hidden.push(name.clone());
                self.visit(body);
            }
            kind => kind.for_each_child(&mut |child| self.visit(child)),
        }
        self.hidden.truncate(depth);
    }

    fn variable(&self, kind: &ExprKind) -> Option<String> {
        let (operand, name) = match kind {
            ExprKind::Select { operand, field, .. } | ExprKind::Has { operand, field } => {
                (operand, field.to_string())
            }
            _ => return None,
        };
        let ExprKind::Ident { name: root, .. } = &operand.kind else {
            return None;
        };
        let variables = matches!(&**root, "V" | "variables") && !self.hidden.contains(root);
        variables.then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::variables_used;

    #[test]
    fn variables_are_found_wherever_they_are_used() {
        let cases = [
            ("1 + 1", ""),
            ("V.a && variables.b", "a,b"),
            ("has(V.a) || V.b == V.?c", "a,b,c"),
            ("[1].exists(x, x == V.a.b.c)", "a"),
            ("[1].exists(V, V.x == V.y)", ""),
            ("cel.bind(V, V.a, V.b)", "a"),
            ("R.attr.V.x == {'k': V.z}.k", "z"),
        ];
        for (source, expected) in cases {
            let found: Vec<_> = variables_used(source).unwrap().into_iter().collect();
            assert_eq!(found.join(","), expected, "{source}");
        }
        assert!(variables_used("V.").is_err());
    }
}
