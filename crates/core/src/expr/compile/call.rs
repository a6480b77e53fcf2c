//! Calls: namespaces, overloads, and arguments that are checked while compiling.

use std::sync::Arc;

use super::fold::{constant_value, is_constant};
use super::{Compiler, Typed};
use crate::expr::ast::{Call, Expr, ExprKind, Span};
use crate::expr::env::Typing;
use crate::expr::functions::network::{IN_IP_ADDR_RANGE, Network};
use crate::expr::functions::standard::TextTest;
use crate::expr::functions::{self, Function, LIBRARIES};
use crate::expr::hint::nearest;
use crate::expr::ir::{Node, Op, Pattern};
use crate::expr::val::Val;

/// Functions that do not depend on their arguments alone.
pub(super) const IMPURE: &[&str] = &["now", "timeSince", "age", "id"];

impl Compiler<'_> {
    pub(super) fn call(&mut self, call: &Call, span: Span) -> Typed {
        let (function, member) = match self.namespaced(call) {
            Some(function) => (Some(function), false),
            None => (functions::find(&call.function), call.receiver.is_some()),
        };
        let namespaced = call.receiver.is_some() && !member;
        let receiver = call.receiver.as_deref().filter(|_| !namespaced);
        let Some(function) = function else {
            return self.unknown_function(call, span);
        };
        let (nodes, types): (Vec<_>, Vec<_>) =
            receiver.into_iter().chain(&call.args).map(|arg| self.value(arg)).unzip();
        let ty = self.overload_of(function.name, function.overloads, member, &types, span);
        let unchecked = self.env.typing() == Typing::Dynamic;
        let shape = function.overloads.iter().any(|o| o.member == member);
        if unchecked && !shape {
            return self.unresolved(span, format!("`{}` is not called this way", function.name), None);
        }
        let node = match self.pattern(function, call, nodes) {
            Ok((text, regex)) => Node { op: Op::Matches(text, Pattern(regex)), span },
            Err(nodes) => self.called(function, nodes, span),
        };
        self.check_written(function, call, &node);
        (node, ty)
    }

    /// The function of a call such as `math.abs(x)`, unless a variable hides the namespace.
    fn namespaced(&self, call: &Call) -> Option<&'static Function> {
        let receiver = call.receiver.as_deref()?;
        let (first, _) = receiver.first_name()?;
        if self.locals.iter().any(|(name, _)| name == first) {
            return None;
        }
        functions::find(&format!("{}.{}", receiver.dotted_name()?, call.function))
    }

    fn unknown_function(&mut self, call: &Call, span: Span) -> Typed {
        if let (Some(name), Some(receiver)) = (macro_like(call), &call.receiver) {
            // The arguments speak of a name that the macro would introduce.
            self.value(receiver);
            let hint = Some(format!("did you mean `{name}`?"));
            return self.unresolved(span, format!("unknown function `{}`", call.function), hint);
        }
        let known = LIBRARIES.iter().flat_map(|library| library.iter()).map(|function| function.name);
        let namespace = call.receiver.as_deref().and_then(Expr::dotted_name);
        let in_namespace =
            namespace.as_ref().filter(|name| known.clone().any(|k| k.starts_with(&format!("{name}."))));
        let name = match in_namespace {
            Some(namespace) => format!("{namespace}.{}", call.function),
            None => call.function.to_string(),
        };
        let hint = nearest(&name, known.filter(|k| !k.starts_with('@')))
            .map(|name| format!("did you mean `{name}`?"));
        if in_namespace.is_none() {
            // Other mistakes in the arguments are reported along with this one.
            for arg in call.receiver.as_deref().into_iter().chain(&call.args) {
                self.value(arg);
            }
        }
        self.unresolved(span, format!("unknown function `{name}`"), hint)
    }

    fn called(&mut self, function: &'static Function, mut nodes: Vec<Node>, span: Span) -> Node {
        if function.name == "dyn" && nodes.len() == 1 {
            return nodes.remove(0);
        }
        let constants = nodes.iter().all(is_constant);
        let lazy = matches!(function.name, "or" | "orValue");
        let test = TextTest::of(function.name);
        let op = match <[Node; 2]>::try_from(nodes) {
            Ok(operands) if lazy => Op::Alternative(function, operands.into()),
            Ok(operands) if function.name == IN_IP_ADDR_RANGE => within_network(function, operands),
            Ok(operands) => match test {
                Some(test) => Op::OnTexts { operands: operands.into(), test, function },
                None => Op::Call(function, operands.into()),
            },
            Err(nodes) => Op::Call(function, nodes.into()),
        };
        let node = Node { op, span };
        if !constants || IMPURE.contains(&function.name) {
            return node;
        }
        match self.folded(&node) {
            Some(Ok(op)) => Node { op, span },
            _ => node,
        }
    }

    /// Text and regular expression of a call of `matches` with a constant one; otherwise the arguments back.
    fn pattern(
        &mut self,
        function: &Function,
        call: &Call,
        nodes: Vec<Node>,
    ) -> Result<(Box<Node>, Arc<regex::Regex>), Vec<Node>> {
        let constant = nodes.last().and_then(constant_value);
        let (Some(Val::String(text)), Some(pattern), "matches", 2) =
            (constant, call.args.last(), function.name, nodes.len())
        else {
            return Err(nodes);
        };
        let Some(regex) = self.check_pattern(pattern, text.as_str()) else {
            return Err(nodes);
        };
        match nodes.into_iter().next() {
            Some(text) => Ok((text.into(), regex)),
            None => Err(Vec::new()),
        }
    }
}

/// A call of `inIPAddrRange`, with the range read if it is a constant.
fn within_network(function: &'static Function, operands: [Node; 2]) -> Op {
    let [_, range] = &operands;
    let network = match constant_value(range) {
        Some(Val::String(range)) => Network::of_range(range.as_str()),
        _ => None,
    };
    match network {
        Some(network) => Op::InNetwork { operands: operands.into(), network: network.into() },
        None => Op::Call(function, operands.into()),
    }
}

/// The macro that other languages call by the name of `call`.
fn macro_like(call: &Call) -> Option<&'static str> {
    let [Expr { kind: ExprKind::Ident { .. }, .. }, _] = call.args.as_slice() else { return None };
    match &*call.function {
        "any" | "some" => Some("exists"),
        "every" => Some("all"),
        _ => None,
    }
}
