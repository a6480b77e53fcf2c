//! Conditions, variables and outputs.

use super::names::{DERIVED, Names};
use crate::expr::{Expr, Field, Tree, Value};
use crate::model::{Head, When};
use crate::rng::Rng;

/// Attributes, variables and constants are numbered up to here.
const EACH: usize = 4;

/// Variables and constants below this number can be imported.
const EXPORTED: usize = 2;

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Only here can one ask for derived roles.
    ResourcePolicy,
    /// A principal or role policy.
    Other,
    /// To the peer a variable that has no value is there when it works out which derived roles are in effect, and
    /// nowhere else: so nobody asks for that here.
    DerivedRoles,
}

/// Variables that can be imported.
pub(super) fn exported_variables(rng: &mut Rng) -> Vec<(String, Expr)> {
    (0..EXPORTED).map(|n| (format!("v{n}"), variable(n, Place::DerivedRoles, rng))).collect()
}

/// Constants that can be imported.
pub(super) fn exported_constants(rng: &mut Rng) -> Vec<(String, Value)> {
    (0..EXPORTED).map(|n| (format!("c{n}"), value(rng))).collect()
}

/// A head with all variables and constants, of its own or imported.
pub(super) fn head(names: &Names, (version, scope): (&str, &str), place: Place, rng: &mut Rng) -> Head {
    let mut imported =
        |kind: &str| (names.exports && rng.chance(40)).then(|| format!("{}{kind}", names.prefix));
    let (import_variables, import_constants) = (imported("vars"), imported("consts"));
    let own = |import: &Option<String>| if import.is_some() { EXPORTED..EACH } else { 0..EACH };
    Head {
        version: version.to_owned(),
        scope: scope.to_owned(),
        variables: own(&import_variables).map(|n| (format!("v{n}"), variable(n, place, rng))).collect(),
        constants: own(&import_constants).map(|n| (format!("c{n}"), value(rng))).collect(),
        import_variables,
        import_constants,
    }
}

/// A variable can use those before it.
fn variable(number: usize, place: Place, rng: &mut Rng) -> Expr {
    let other = loop_free(atom(place, rng), number);
    if number < 2 {
        return other;
    }
    Expr::Or(Box::new(Expr::Variable(format!("v{}", number - 2))), Box::new(other))
}

/// `expr`, or something else if it is about a variable that does not come before `number`.
fn loop_free(expr: Expr, number: usize) -> Expr {
    let before = |name: &str| (0..number).any(|n| name == format!("v{n}"));
    match &expr {
        Expr::Variable(name) if !before(name) => Expr::Resource(format!("x{number}")),
        Expr::Has(of) if matches!(&**of, Expr::Variable(name) if !before(name)) => {
            Expr::Has(Box::new(Expr::Resource(format!("x{number}"))))
        }
        _ => expr,
    }
}

/// Condition and outputs of a rule, `unnamed` in some of the cases. Only a resource policy may ask for derived roles.
pub(super) fn when(number: usize, place: Place, rng: &mut Rng) -> When {
    When {
        name: rng.chance(70).then(|| format!("n{number}")),
        condition: rng.chance(65).then(|| tree(place, rng)),
        activated: rng.chance(45).then(|| output(place, rng)),
        not_met: rng.chance(25).then(|| output(place, rng)),
    }
}

/// A condition.
pub(super) fn tree(place: Place, rng: &mut Rng) -> Tree {
    block(2, place, rng)
}

fn block(depth: usize, place: Place, rng: &mut Rng) -> Tree {
    if depth == 0 || rng.chance(75) {
        return Tree::Leaf(leaf(place, rng));
    }
    let count = 1 + rng.below(3);
    let items = (0..count).map(|_| block(depth - 1, place, rng)).collect();
    match rng.below(3) {
        0 => Tree::All(items),
        1 => Tree::Any(items),
        _ => Tree::None(items),
    }
}

fn leaf(place: Place, rng: &mut Rng) -> Expr {
    let two = |rng: &mut Rng| (Box::new(atom(place, rng)), Box::new(atom(place, rng)));
    match rng.below(20) {
        0 => Expr::Literal(Value::Bool(true)),
        1 => Expr::Literal(Value::Bool(false)),
        2 => Expr::Literal(Value::Text("text".to_owned())),
        3 => Expr::DivisionByZero,
        4 => Expr::Not(Box::new(atom(place, rng))),
        5 | 6 => {
            let (a, b) = two(rng);
            Expr::And(a, b)
        }
        7 | 8 => {
            let (a, b) = two(rng);
            Expr::Or(a, b)
        }
        _ => atom(place, rng),
    }
}

/// Something that is a boolean, or could be one.
fn atom(place: Place, rng: &mut Rng) -> Expr {
    let n = rng.below(EACH);
    match rng.below(if place == Place::ResourcePolicy { 16 } else { 14 }) {
        0..=2 => Expr::Resource(format!("x{n}")),
        3 => Expr::Principal(format!("y{}", n % 2)),
        4 | 5 => Expr::Variable(format!("v{n}")),
        6 => Expr::Constant(format!("c{n}")),
        7 => Expr::Global((if rng.chance(80) { "g0" } else { "g9" }).to_owned()),
        8 | 9 => equal(Expr::Resource(format!("x{n}")), Expr::Literal(Value::Bool(true))),
        11 if place != Place::DerivedRoles => Expr::Has(Box::new(Expr::Variable(format!("v{n}")))),
        10 | 11 => Expr::Has(Box::new(Expr::Resource(format!("x{n}")))),
        12 => equal(
            Expr::Field(field(rng)),
            Expr::Literal(Value::Text((*rng.pick(&["", "t", "v2"])).to_owned())),
        ),
        13 => equal(Expr::Resource(format!("x{n}")), Expr::Principal(format!("y{}", n % 2))),
        _ => Expr::Holds((*rng.pick(DERIVED)).to_owned()),
    }
}

fn output(place: Place, rng: &mut Rng) -> Expr {
    match rng.below(if place == Place::ResourcePolicy { 7 } else { 6 }) {
        0 => Expr::Literal(value(rng)),
        1 => Expr::Field(field(rng)),
        2 => Expr::Resource(format!("x{}", rng.below(EACH))),
        3 => Expr::Variable(format!("v{}", rng.below(EACH))),
        4 => Expr::Constant(format!("c{}", rng.below(EACH))),
        5 => Expr::Literal(Value::List(vec![value(rng)])),
        _ => Expr::EffectiveDerivedRoles,
    }
}

fn equal(a: Expr, b: Expr) -> Expr {
    Expr::Equal(Box::new(a), Box::new(b))
}

fn field(rng: &mut Rng) -> Field {
    let fields = [
        Field::Kind,
        Field::PrincipalId,
        Field::ResourceScope,
        Field::PrincipalScope,
        Field::ResourceVersion,
    ];
    *rng.pick(&fields)
}

/// A value, more often true than not.
pub(super) fn value(rng: &mut Rng) -> Value {
    match rng.below(10) {
        0..=4 => Value::Bool(true),
        5..=7 => Value::Bool(false),
        8 => Value::Text("text".to_owned()),
        _ => Value::Number(7),
    }
}
