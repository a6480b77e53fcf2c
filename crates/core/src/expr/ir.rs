//! The compiled form of an expression: a tree with names resolved to slots, constants folded, and regular
//! expressions and sets of names built.
//!
//! Expressions that differ in nothing but constants of the same length have the same [`Form`]. A set of policies keeps
//! each form once: with many policies it is still at hand from the evaluation before, where a tree of its own would have
//! to be fetched.

use std::cmp::Ordering;
use std::fmt;
use std::mem;
use std::ops::Deref;
use std::sync::Arc;

use super::ast::{Access, BinaryOp, ComprehensionKind, LogicOp, Span, UnaryOp};
use super::functions::Function;
use super::functions::network::Network;
use super::functions::standard::TextTest;
use super::types::Type;
use super::val::Val;

/// An expression without its constants.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Form {
    pub(crate) root: Node,
    /// The slots of the policy's variables that it uses, sorted.
    pub(crate) uses: Box<[u32]>,
    pub(crate) result: Type,
    /// Whether it depends on nothing and cannot be evaluated.
    pub(crate) fails: bool,
}

/// An operation and where it is in the source.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Node {
    pub(crate) op: Op,
    pub(crate) span: Span,
}

/// What a node does.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Op {
    /// While an expression is compiled.
    Constant(Constant),
    /// A constant that the program keeps beside its form, by slot.
    Kept(usize),
    Field(Field),
    /// `R.attr.a.b`: the attributes themselves if the path is empty.
    Attribute(Attribute),
    HasField(Field),
    HasAttribute(Attribute),
    /// A variable of the policy, by slot in the frame.
    Variable(usize),
    HasVariable(usize),
    /// `V` as a whole: the variables of lower slots than this.
    Variables(usize),
    /// A declared variable, by slot in the bindings.
    Declared(usize),
    /// A variable that a macro introduced, by depth.
    Local(usize),
    /// What cannot be called or named, kept for evaluation because types are dynamic.
    Unresolved(Box<str>),
    /// Turns an absent operand into an empty optional.
    Attempt(Box<Node>),
    Select(Box<Select>),
    Has {
        operand: Box<Node>,
        field: Box<str>,
    },
    Index {
        operands: Box<[Node; 2]>,
        access: Access,
    },
    Unary(UnaryOp, Box<Node>),
    Binary(BinaryOp, Box<[Node; 2]>),
    Logic(LogicOp, Box<[Node]>),
    /// Test, then, otherwise.
    Conditional(Box<[Node; 3]>),
    /// `needle in [texts]`, the texts sorted and shared with the list.
    InTexts {
        operands: Box<[Node; 2]>,
        texts: Box<[Arc<str>]>,
    },
    /// `address.inIPAddrRange(range)`, the range read.
    InNetwork {
        operands: Box<[Node; 2]>,
        network: Box<Network>,
    },
    /// `text.matches(pattern)` with the pattern compiled.
    Matches(Box<Node>, Pattern),
    /// `text.startsWith(part)` and the like.
    OnTexts {
        operands: Box<[Node; 2]>,
        test: TextTest,
        function: &'static Function,
    },
    Call(&'static Function, Box<[Node]>),
    /// A call that needs its second argument only where the first is an empty optional.
    Alternative(&'static Function, Box<[Node; 2]>),
    List(Box<[Element]>),
    Map(Box<[Entry]>),
    Comprehension(Box<Comprehension>),
    /// Value and body; the value's slot is the number of locals in force.
    Bind {
        operands: Box<[Node; 2]>,
        slot: usize,
    },
    /// Optional and body.
    OptionalMap {
        operands: Box<[Node; 2]>,
        slot: usize,
        flat: bool,
    },
}

/// A constant in its place in the tree: for the comparison of forms, which have none, equal to itself alone.
pub(crate) struct Constant(pub(crate) Val<'static>);

/// A compiled regular expression, equal to those of the same text.
pub(crate) struct Pattern(pub(crate) Arc<regex::Regex>);

/// A member of the request that is not an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    /// `request` as a whole.
    Request,
    /// `P` as a whole.
    Principal,
    PrincipalId,
    PrincipalRoles,
    PrincipalVersion,
    PrincipalScope,
    /// `R` as a whole.
    Resource,
    ResourceKind,
    ResourceId,
    ResourceVersion,
    ResourceScope,
    /// `runtime` as a whole.
    Runtime,
    /// `runtime.effectiveDerivedRoles`.
    DerivedRoles,
    /// `request.auxData` as a whole.
    AuxData,
    /// `request.auxData.jwts`.
    Tokens,
    /// `request.auxData.bound`.
    Bound,
    /// `request.actor` as a whole.
    Actor,
    /// `signals`.
    Signals,
}

/// A path of keys into one of the attribute maps of the request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Attribute {
    pub(crate) root: AttributeRoot,
    pub(crate) path: Box<[Box<str>]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AttributeRoot {
    Principal,
    Resource,
    Context,
    /// `request.auxData.jwt`.
    Claims,
    /// `request.auxData.jwts`: the first key is the name of a token, then come its claims.
    TokenClaims,
    /// `request.actor`.
    Actor,
    Globals,
}

/// `operand.field`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Select {
    pub(crate) operand: Node,
    pub(crate) field: Box<str>,
    pub(crate) access: Access,
}

/// An item of a list.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Element {
    pub(crate) value: Node,
    pub(crate) optional: bool,
}

/// An entry of a map.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) key: Node,
    pub(crate) value: Node,
    pub(crate) optional: bool,
}

/// A walk over a list or map.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Comprehension {
    pub(crate) kind: ComprehensionKind,
    pub(crate) range: Node,
    /// Whether index or key come along with the element.
    pub(crate) keyed: bool,
    /// The slot of the first variable.
    pub(crate) slot: usize,
    pub(crate) filter: Option<Node>,
    pub(crate) body: Node,
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form").finish_non_exhaustive()
    }
}

impl Node {
    /// Takes the constants out of the tree: what they leave behind are their places among `constants`.
    pub(crate) fn part_with_constants(&mut self, constants: &mut Vec<Val<'static>>) {
        if let Op::Constant(Constant(value)) = &mut self.op {
            let value = mem::replace(value, Val::Null);
            self.op = Op::Kept(constants.len());
            constants.push(value);
        }
        self.op.for_each_operand(&mut |operand| operand.part_with_constants(constants));
    }
}

impl Deref for Pattern {
    type Target = regex::Regex;

    fn deref(&self) -> &regex::Regex {
        &self.0
    }
}

/// Orders a type by a key of its values.
macro_rules! ordered_by {
    ($type:ty, $value:ident => $key:expr) => {
        impl Eq for $type {}

        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other).is_eq()
            }
        }

        impl Ord for $type {
            fn cmp(&self, other: &Self) -> Ordering {
                let key = {
                    let $value = self;
                    $key
                };
                let $value = other;
                key.cmp(&$key)
            }
        }

        impl PartialOrd for $type {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
    };
}

ordered_by!(Constant, constant => std::ptr::from_ref(constant));
ordered_by!(Pattern, pattern => pattern.as_str());
// INVARIANT(one-entry-per-name): a function is known by its name.
ordered_by!(Function, function => function.name);

impl AttributeRoot {
    /// As conditions write it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            AttributeRoot::Principal => "request.principal.attr",
            AttributeRoot::Resource => "request.resource.attr",
            AttributeRoot::Context => "request.context",
            AttributeRoot::Claims => "request.auxData.jwt",
            AttributeRoot::TokenClaims => "request.auxData.jwts",
            AttributeRoot::Actor => "request.actor",
            AttributeRoot::Globals => "globals",
        }
    }
}

impl Op {
    /// A constant, while an expression is compiled.
    pub(crate) const fn constant(value: Val<'static>) -> Self {
        Op::Constant(Constant(value))
    }

    /// Visits the operands in the order in which they are evaluated.
    pub(crate) fn for_each_operand<'o>(&'o mut self, visit: &mut dyn FnMut(&'o mut Node)) {
        match self {
            Op::Constant(_)
            | Op::Kept(_)
            | Op::Field(_)
            | Op::Attribute(_)
            | Op::HasField(_)
            | Op::HasAttribute(_)
            | Op::Variable(_)
            | Op::HasVariable(_)
            | Op::Variables(_)
            | Op::Declared(_)
            | Op::Local(_)
            | Op::Unresolved(_) => {}
            Op::Attempt(operand)
            | Op::Has { operand, .. }
            | Op::Unary(_, operand)
            | Op::Matches(operand, _) => visit(operand),
            Op::Select(select) => visit(&mut select.operand),
            Op::Index { operands, .. }
            | Op::Binary(_, operands)
            | Op::InTexts { operands, .. }
            | Op::InNetwork { operands, .. }
            | Op::OnTexts { operands, .. }
            | Op::Alternative(_, operands)
            | Op::Bind { operands, .. }
            | Op::OptionalMap { operands, .. } => operands.iter_mut().for_each(visit),
            Op::Conditional(operands) => operands.iter_mut().for_each(visit),
            Op::Logic(_, operands) | Op::Call(_, operands) => operands.iter_mut().for_each(visit),
            Op::List(elements) => elements.iter_mut().for_each(|element| visit(&mut element.value)),
            Op::Map(entries) => entries.iter_mut().for_each(|entry| {
                visit(&mut entry.key);
                visit(&mut entry.value);
            }),
            Op::Comprehension(comprehension) => {
                visit(&mut comprehension.range);
                comprehension.filter.iter_mut().for_each(&mut *visit);
                visit(&mut comprehension.body);
            }
        }
    }
}
