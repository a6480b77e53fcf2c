//! Static types, and how far two of them agree.
//!
//! Dynamic values agree with everything; type parameters are found by unification and become dynamic where
//! nothing binds them. Source: CEL language definition, "Gradual Type Checking", as cel-go applies it.

use std::collections::BTreeMap;
use std::fmt;

use super::functions::{Overload, Ty};

/// The type of an expression, as far as it is known before evaluation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// Known only at run time.
    Dyn,
    /// `null`.
    Null,
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `uint`.
    Uint,
    /// `double`.
    Double,
    /// `string`.
    String,
    /// `bytes`.
    Bytes,
    /// `timestamp`.
    Timestamp,
    /// `duration`.
    Duration,
    /// The type of a type.
    Type,
    /// `list(T)`.
    List(Box<Type>),
    /// `map(K, V)`.
    Map(Box<Type>, Box<Type>),
    /// `optional_type(T)`.
    Optional(Box<Type>),
    /// A type of an extension library, by name.
    Opaque(&'static str),
    /// A part of the request, by name: which fields it has is known before evaluation.
    Record(&'static str),
    /// A type parameter, found by unification.
    Parameter(u32),
}

/// What is known of the type parameters of one expression.
#[derive(Debug, Default)]
pub(crate) struct Unifier {
    bound: BTreeMap<u32, Type>,
    next: u32,
    /// What `bound` held before each change, so that a failed attempt can be taken back.
    trail: Vec<(u32, Option<Type>)>,
    steps: usize,
}

/// Comparisons of types that one expression may need; what goes beyond counts as agreed and is left to run time.
const STEPS: usize = 200_000;

impl Unifier {
    /// A new type parameter.
    pub(crate) fn fresh(&mut self) -> Type {
        self.next += 1;
        Type::Parameter(self.next)
    }

    /// The result of calling one of `overloads` with arguments of types `args`; `None` if none takes them.
    /// Several that do and differ in their result make it dynamic.
    pub(crate) fn call(&mut self, overloads: &[Overload], member: bool, args: &[Type]) -> Option<Type> {
        let mut result: Option<Type> = None;
        for overload in overloads.iter().filter(|overload| overload.member == member) {
            let Some(found) = self.instance(overload, args) else {
                continue;
            };
            result = match result {
                Some(known) if known != found => Some(Type::Dyn),
                _ => Some(found),
            };
        }
        result
    }

    fn instance(&mut self, overload: &Overload, args: &[Type]) -> Option<Type> {
        let fixed = overload.params.len();
        let count_fits = args.len() == fixed || (overload.variadic && args.len() >= fixed);
        if !count_fits {
            return None;
        }
        let mut letters = BTreeMap::new();
        let last = overload.params.last().copied();
        let params: Vec<Type> = (0..args.len())
            .filter_map(|at| overload.params.get(at).copied().or(last))
            .map(|ty| self.instantiate(ty, &mut letters))
            .collect();
        let result = self.instantiate(overload.result, &mut letters);
        self.agree_all(args, &params).then(|| self.resolve(&result))
    }

    fn instantiate(&mut self, ty: Ty, letters: &mut BTreeMap<char, Type>) -> Type {
        match ty {
            Ty::Dyn => Type::Dyn,
            Ty::Bool => Type::Bool,
            Ty::Int => Type::Int,
            Ty::Uint => Type::Uint,
            Ty::Double => Type::Double,
            Ty::String => Type::String,
            Ty::Bytes => Type::Bytes,
            Ty::Timestamp => Type::Timestamp,
            Ty::Duration => Type::Duration,
            Ty::Type => Type::Type,
            Ty::List(item) => Type::List(self.instantiate(*item, letters).into()),
            Ty::Map(key, value) => {
                Type::Map(self.instantiate(*key, letters).into(), self.instantiate(*value, letters).into())
            }
            Ty::Optional(inner) => Type::Optional(self.instantiate(*inner, letters).into()),
            Ty::Opaque(name) => Type::Opaque(name),
            Ty::Param(letter) => letters.entry(letter).or_insert_with(|| self.fresh()).clone(),
        }
    }

    /// The type that joins `a` and `b` in a list or map.
    pub(crate) fn join(&mut self, a: Type, b: Type) -> Type {
        if self.agree(&a, &b) { most_general(a, b) } else { Type::Dyn }
    }

    /// Whether a value of type `a` may stand where `b` is wanted; binds type parameters if so.
    pub(crate) fn agree(&mut self, a: &Type, b: &Type) -> bool {
        self.agree_all(std::slice::from_ref(a), std::slice::from_ref(b))
    }

    fn agree_all(&mut self, args: &[Type], params: &[Type]) -> bool {
        let mark = self.trail.len();
        let agreed = args.len() == params.len() && args.iter().zip(params).all(|(a, b)| self.unify(a, b));
        if !agreed {
            self.take_back(mark);
        }
        agreed
    }

    fn take_back(&mut self, mark: usize) {
        while self.trail.len() > mark {
            match self.trail.pop() {
                Some((id, Some(before))) => self.bound.insert(id, before),
                Some((id, None)) => self.bound.remove(&id),
                None => return,
            };
        }
    }

    fn set(&mut self, id: u32, to: Type) {
        let before = self.bound.insert(id, to);
        self.trail.push((id, before));
    }

    fn unify(&mut self, a: &Type, b: &Type) -> bool {
        self.steps += 1;
        if self.steps > STEPS {
            return true;
        }
        if let Type::Parameter(id) = b {
            match self.bind(*id, a) {
                Binding::Agreed => return true,
                Binding::Conflict => return false,
                Binding::Cyclic => {}
            }
        }
        match (a, b) {
            (Type::Parameter(id), _) => !matches!(self.bind(*id, b), Binding::Conflict),
            (Type::Dyn, _) | (_, Type::Dyn) => true,
            (Type::Null, other) | (other, Type::Null) => nullable(other),
            (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => self.unify(a, b),
            (Type::Map(k, v), Type::Map(l, w)) => self.unify(k, l) && self.unify(v, w),
            _ => a == b,
        }
    }

    fn bind(&mut self, id: u32, to: &Type) -> Binding {
        if *to == Type::Parameter(id) {
            return Binding::Agreed;
        }
        if let Some(known) = self.bound.get(&id).cloned() {
            if *to == known {
                return Binding::Agreed;
            }
            if !self.unify(to, &known) {
                return Binding::Conflict;
            }
            let wider = most_general(to.clone(), known);
            if !self.occurs(id, &wider) {
                self.set(id, wider);
            }
            return Binding::Agreed;
        }
        if self.occurs(id, to) {
            return Binding::Cyclic;
        }
        self.set(id, to.clone());
        Binding::Agreed
    }

    fn occurs(&self, id: u32, inside: &Type) -> bool {
        match inside {
            Type::Parameter(other) => {
                *other == id || self.bound.get(other).is_some_and(|bound| self.occurs(id, bound))
            }
            Type::List(item) | Type::Optional(item) => self.occurs(id, item),
            Type::Map(key, value) => self.occurs(id, key) || self.occurs(id, value),
            _ => false,
        }
    }

    /// `ty` with what is known of its parameters put in.
    pub(crate) fn resolve(&self, ty: &Type) -> Type {
        match ty {
            Type::Parameter(id) => self.bound.get(id).map_or_else(|| ty.clone(), |bound| self.resolve(bound)),
            Type::List(item) => Type::List(self.resolve(item).into()),
            Type::Optional(inner) => Type::Optional(self.resolve(inner).into()),
            Type::Map(key, value) => Type::Map(self.resolve(key).into(), self.resolve(value).into()),
            known => known.clone(),
        }
    }
}

enum Binding {
    Agreed,
    Conflict,
    Cyclic,
}

/// Where the null literal may stand.
fn nullable(ty: &Type) -> bool {
    matches!(
        ty,
        Type::Null | Type::Timestamp | Type::Duration | Type::Optional(_) | Type::Opaque(_) | Type::Record(_)
    )
}

fn most_general(a: Type, b: Type) -> Type {
    if at_least_as_general(&a, &b) { a } else { b }
}

fn at_least_as_general(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Dyn | Type::Parameter(_), _) => true,
        (_, Type::Dyn | Type::Parameter(_)) => false,
        (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => at_least_as_general(a, b),
        (Type::Map(k, v), Type::Map(l, w)) => at_least_as_general(k, l) && at_least_as_general(v, w),
        _ => a == b,
    }
}

impl Type {
    /// The type with open parameters made dynamic.
    pub(crate) fn closed(self) -> Type {
        match self {
            Type::Parameter(_) => Type::Dyn,
            Type::List(item) => Type::List(item.closed().into()),
            Type::Optional(inner) => Type::Optional(inner.closed().into()),
            Type::Map(key, value) => Type::Map(key.closed().into(), value.closed().into()),
            known => known,
        }
    }

    /// A map of attributes.
    pub(crate) fn attributes() -> Type {
        Type::Map(Type::String.into(), Type::Dyn.into())
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Dyn | Type::Parameter(_) => "dyn",
            Type::Null => "null",
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Uint => "uint",
            Type::Double => "double",
            Type::String => "string",
            Type::Bytes => "bytes",
            Type::Timestamp => "timestamp",
            Type::Duration => "duration",
            Type::Type => "type",
            Type::Opaque(name) | Type::Record(name) => name,
            Type::List(item) => return write!(f, "list({item})"),
            Type::Map(key, value) => return write!(f, "map({key}, {value})"),
            Type::Optional(inner) => return write!(f, "optional_type({inner})"),
        })
    }
}
