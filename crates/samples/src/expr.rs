//! The expression language of the samples: enough of CEL to be true, false, an error or no boolean, by what is
//! written or by what is asked.

use std::fmt;

/// A value of an attribute, a constant or an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A small whole number.
    Number(i32),
    /// A text without quotes in it.
    Text(String),
    /// A list.
    List(Vec<Value>),
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// The value itself.
    Literal(Value),
    /// An attribute of the resource.
    Resource(String),
    /// An attribute of the principal.
    Principal(String),
    /// A variable of the policy.
    Variable(String),
    /// A constant of the policy.
    Constant(String),
    /// A value of the configuration.
    Global(String),
    /// Something else of the request.
    Field(Field),
    /// Whether an attribute, variable or global is there.
    Has(Box<Expr>),
    /// Whether two values are the same.
    Equal(Box<Expr>, Box<Expr>),
    /// The opposite.
    Not(Box<Expr>),
    /// Both.
    And(Box<Expr>, Box<Expr>),
    /// At least one.
    Or(Box<Expr>, Box<Expr>),
    /// Whether the principal has a role.
    HasRole(String),
    /// Whether a derived role is in effect.
    Holds(String),
    /// All derived roles that are in effect.
    EffectiveDerivedRoles,
    /// An error whatever is asked.
    DivisionByZero,
}

/// A text of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The kind of the resource.
    Kind,
    /// The id of the principal.
    PrincipalId,
    /// The scope asked for the resource.
    ResourceScope,
    /// The scope asked for the principal.
    PrincipalScope,
    /// The policy version asked for the resource.
    ResourceVersion,
}

/// A condition: expressions in blocks.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// One expression.
    Leaf(Expr),
    /// All of these.
    All(Vec<Tree>),
    /// At least one of these.
    Any(Vec<Tree>),
    /// None of these.
    None(Vec<Tree>),
}

impl Expr {
    /// Whether it is about this variable.
    #[must_use]
    pub fn uses(&self, variable: &str) -> bool {
        match self {
            Expr::Variable(name) => name == variable,
            Expr::Has(of) | Expr::Not(of) => of.uses(variable),
            Expr::Equal(a, b) | Expr::And(a, b) | Expr::Or(a, b) => a.uses(variable) || b.uses(variable),
            Expr::Literal(_)
            | Expr::Resource(_)
            | Expr::Principal(_)
            | Expr::Constant(_)
            | Expr::Global(_)
            | Expr::Field(_)
            | Expr::HasRole(_)
            | Expr::Holds(_)
            | Expr::EffectiveDerivedRoles
            | Expr::DivisionByZero => false,
        }
    }
}

impl Tree {
    /// Every expression, in the order of the text.
    #[must_use]
    pub fn leaves(&self) -> Vec<&Expr> {
        match self {
            Tree::Leaf(expr) => vec![expr],
            Tree::All(items) | Tree::Any(items) | Tree::None(items) => {
                items.iter().flat_map(Tree::leaves).collect()
            }
        }
    }

    /// The same, for changing them in place.
    #[must_use]
    pub fn leaves_mut(&mut self) -> Vec<&mut Expr> {
        match self {
            Tree::Leaf(expr) => vec![expr],
            Tree::All(items) | Tree::Any(items) | Tree::None(items) => {
                items.iter_mut().flat_map(Tree::leaves_mut).collect()
            }
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Literal(value) => write!(f, "{value}"),
            Expr::Resource(name) => write!(f, "R.attr.{name}"),
            Expr::Principal(name) => write!(f, "P.attr.{name}"),
            Expr::Variable(name) => write!(f, "V.{name}"),
            Expr::Constant(name) => write!(f, "C.{name}"),
            Expr::Global(name) => write!(f, "G.{name}"),
            Expr::Field(field) => f.write_str(field.path()),
            Expr::Has(of) => write!(f, "has({of})"),
            Expr::Equal(a, b) => write!(f, "({a} == {b})"),
            Expr::Not(of) => write!(f, "!{of}"),
            Expr::And(a, b) => write!(f, "({a} && {b})"),
            Expr::Or(a, b) => write!(f, "({a} || {b})"),
            Expr::HasRole(role) => write!(f, "('{role}' in P.roles)"),
            Expr::Holds(role) => write!(f, "('{role}' in runtime.effectiveDerivedRoles)"),
            Expr::EffectiveDerivedRoles => f.write_str("runtime.effectiveDerivedRoles"),
            Expr::DivisionByZero => f.write_str("(1 / 0 == 1)"),
        }
    }
}

impl Field {
    fn path(self) -> &'static str {
        match self {
            Field::Kind => "R.kind",
            Field::PrincipalId => "P.id",
            Field::ResourceScope => "R.scope",
            Field::PrincipalScope => "P.scope",
            Field::ResourceVersion => "R.policyVersion",
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => write!(f, "{value}"),
            Value::Number(value) => write!(f, "{value}"),
            Value::Text(value) => write!(f, "'{value}'"),
            Value::List(values) => {
                let values: Vec<_> = values.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", values.join(", "))
            }
        }
    }
}
