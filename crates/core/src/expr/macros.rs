//! The macros: calls whose arguments are names and conditions rather than values.
//!
//! A call that has a macro's name but another number of arguments is an ordinary call.
//! Source: CEL language definition, "Macros"; cel-go extensions "Bindings", "TwoVarComprehensions", "Optional".

use std::sync::Arc;

use super::ast::{Access, Call, Comprehension, ComprehensionKind, Expr, ExprKind, Span};
use super::error::ExprDiagnostic;

/// The call itself, or what it stands for.
pub(crate) fn expand(mut call: Call, span: Span) -> Result<ExprKind, ExprDiagnostic> {
    let on_cel = call.receiver.as_ref().is_some_and(|r| r.dotted_name().as_deref() == Some("cel"));
    match (&*call.function, call.receiver.is_some(), call.args.len()) {
        ("has", false, 1) => has(call.args.remove(0)),
        ("bind", true, 3) if on_cel => bind(call),
        ("optMap", true, 2) => optional_map(call, false),
        ("optFlatMap", true, 2) => optional_map(call, true),
        ("sortBy", true, 2) => sort_by(call, span),
        (_, true, _) => match shape(&call) {
            Some(shape) => comprehension(call, &shape),
            None => Ok(ExprKind::Call(call)),
        },
        _ => Ok(ExprKind::Call(call)),
    }
}

/// How the arguments of a comprehension macro are to be read.
struct Shape {
    kind: ComprehensionKind,
    variables: usize,
    filter: bool,
}

fn shape(call: &Call) -> Option<Shape> {
    use ComprehensionKind::{All, Collect, Exists, ExistsOne, Filter, TransformMap, TransformMapEntry};
    let (kind, variables, filter) = match (&*call.function, call.args.len()) {
        ("all", count @ 2..=3) => (All, count - 1, false),
        ("exists", count @ 2..=3) => (Exists, count - 1, false),
        ("exists_one" | "existsOne", count @ 2..=3) => (ExistsOne, count - 1, false),
        ("map", count @ 2..=3) => (Collect, 1, count == 3),
        ("filter", 2) => (Filter, 1, false),
        ("transformList", count @ 3..=4) => (Collect, 2, count == 4),
        ("transformMap", count @ 3..=4) => (TransformMap, 2, count == 4),
        ("transformMapEntry", count @ 3..=4) => (TransformMapEntry, 2, count == 4),
        _ => return None,
    };
    Some(Shape { kind, variables, filter })
}

fn comprehension(call: Call, shape: &Shape) -> Result<ExprKind, ExprDiagnostic> {
    let Call { function, receiver, args } = call;
    let mut args = args.into_iter();
    let variables: Vec<_> =
        args.by_ref().take(shape.variables).map(|arg| variable(&arg, &function)).collect::<Result<_, _>>()?;
    let filter = if shape.filter { args.next() } else { None };
    let twice = matches!(variables.as_slice(), [a, b] if a == b);
    match (receiver, args.next()) {
        (Some(range), Some(body)) if !twice => {
            let kind = shape.kind;
            Ok(ExprKind::Comprehension(Comprehension { kind, range: *range, variables, filter, body }.into()))
        }
        (_, body) => {
            let range = body.map_or(0..0, |body| body.span.range());
            let message = format!("the two variables of `{function}` have the same name");
            Err(ExprDiagnostic::new(range, message, Some("give them different names".to_owned())))
        }
    }
}

fn has(arg: Expr) -> Result<ExprKind, ExprDiagnostic> {
    match arg.kind {
        ExprKind::Select { operand, field, access: Access::Required } => Ok(ExprKind::Has { operand, field }),
        _ => Err(ExprDiagnostic::new(
            arg.span.range(),
            "`has` takes a field selection".to_owned(),
            Some("write `has(a.b)`".to_owned()),
        )),
    }
}

fn bind(mut call: Call) -> Result<ExprKind, ExprDiagnostic> {
    let (body, value) = (call.args.pop(), call.args.pop());
    match (call.args.pop(), value, body) {
        (Some(name), Some(value), Some(body)) => {
            Ok(ExprKind::Bind { name: variable(&name, "cel.bind")?, value: value.into(), body: body.into() })
        }
        _ => Ok(ExprKind::Call(call)),
    }
}

fn optional_map(mut call: Call, flat: bool) -> Result<ExprKind, ExprDiagnostic> {
    let (body, name) = (call.args.pop(), call.args.pop());
    match (call.receiver.take(), name, body) {
        (Some(operand), Some(name), Some(body)) => {
            let name = variable(&name, &call.function)?;
            Ok(ExprKind::OptionalMap { operand, name, body: body.into(), flat })
        }
        _ => Ok(ExprKind::Call(call)),
    }
}

/// `l.sortBy(x, key)` sorts by keys computed once: `cel.bind(@l, l, @l.@sortByAssociatedKeys(@l.map(x, key)))`.
fn sort_by(mut call: Call, span: Span) -> Result<ExprKind, ExprDiagnostic> {
    let Some(list) = call.receiver.take() else {
        return Ok(ExprKind::Call(call));
    };
    let name: Arc<str> = "@list".into();
    let bound = || Expr::new(ExprKind::Ident { name: name.clone(), absolute: false }, span);
    let keys = Call { function: "map".into(), receiver: Some(bound().into()), args: call.args };
    let keys = Expr::new(expand(keys, span)?, span);
    let sort =
        Call { function: "@sortByAssociatedKeys".into(), receiver: Some(bound().into()), args: vec![keys] };
    let body = Expr::new(ExprKind::Call(sort), span);
    Ok(ExprKind::Bind { name, value: list, body: body.into() })
}

/// The name that a macro introduces.
fn variable(arg: &Expr, function: &str) -> Result<Arc<str>, ExprDiagnostic> {
    match &arg.kind {
        ExprKind::Ident { name, absolute: false } => Ok(name.clone()),
        _ => {
            let message = format!("`{function}` introduces a variable here, which must be a simple name");
            Err(ExprDiagnostic::new(arg.span.range(), message, None))
        }
    }
}
