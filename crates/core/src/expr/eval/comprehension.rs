//! The macros that walk a list or map.

use super::{Evaluated, Failure, Machine, error, located};
use crate::expr::ast::{ComprehensionKind, Span};
use crate::expr::error::EvalErrorKind;
use crate::expr::functions::standard::bounded;
use crate::expr::ir::{Comprehension, Node};
use crate::expr::val::{MapVal, Val};
use crate::expr::wording;

/// What is walked over.
enum Range<'r> {
    List(crate::expr::val::List<'r>),
    Map(MapVal<'r>),
}

impl<'r> Range<'r> {
    fn len(&self) -> usize {
        match self {
            Range::List(items) => items.len(),
            Range::Map(map) => map.len(),
        }
    }

    /// Index and item, or key and value.
    fn get(&self, at: usize) -> Option<(Val<'r>, Val<'r>)> {
        match self {
            Range::List(items) => {
                let index = Val::Int(i64::try_from(at).ok()?);
                items.get(at).map(|item| (index, item))
            }
            Range::Map(map) => map.entry(at),
        }
    }
}

impl<'r> Machine<'_, 'r> {
    pub(super) fn comprehension(&mut self, c: &'r Comprehension) -> Evaluated<'r> {
        let range = match self.eval(&c.range)? {
            Val::List(items) => Range::List(items),
            Val::Map(map) => Range::Map(map),
            other => {
                let found = wording::native_type(&other);
                let message = if c.keyed {
                    format!("unsupported comprehension range type: {found}")
                } else {
                    format!("got '{found}', expected iterable type")
                };
                return Err(error(EvalErrorKind::NoSuchOverload, message, c.range.span));
            }
        };
        match c.kind {
            ComprehensionKind::All => self.quantify(c, &range, false),
            ComprehensionKind::Exists => self.quantify(c, &range, true),
            ComprehensionKind::ExistsOne => self.exists_one(c, &range),
            ComprehensionKind::Collect => self.collect(c, &range),
            ComprehensionKind::Filter => self.filter(c, &range),
            ComprehensionKind::TransformMap => self.transform_map(c, &range),
            ComprehensionKind::TransformMapEntry => self.transform_map_entry(c, &range),
        }
    }

    /// `all` and `exists`: an element that decides does so whatever fails for others.
    fn quantify(&mut self, c: &'r Comprehension, range: &Range<'r>, decisive: bool) -> Evaluated<'r> {
        let mut failure = None;
        for at in 0..range.len() {
            self.enter(c, range, at)?;
            match self.condition(&c.body) {
                Ok(value) if value == decisive => {
                    self.locals.truncate(c.slot);
                    return Ok(Val::Bool(decisive));
                }
                Ok(_) => {}
                Err(error) if error.kind == EvalErrorKind::CostExceeded => return Err(error),
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        self.locals.truncate(c.slot);
        failure.map_or(Ok(Val::Bool(!decisive)), Err)
    }

    fn exists_one(&mut self, c: &'r Comprehension, range: &Range<'r>) -> Evaluated<'r> {
        let mut count = 0;
        self.each(c, range, |machine| {
            count += usize::from(machine.condition(&c.body)?);
            Ok(())
        })?;
        Ok(Val::Bool(count == 1))
    }

    fn collect(&mut self, c: &'r Comprehension, range: &Range<'r>) -> Evaluated<'r> {
        let mut items = Vec::new();
        self.each(c, range, |machine| {
            items.push(machine.eval(&c.body)?);
            Ok(())
        })?;
        self.finished(Val::list(items), c.body.span)
    }

    fn filter(&mut self, c: &'r Comprehension, range: &Range<'r>) -> Evaluated<'r> {
        let mut items = Vec::new();
        self.each(c, range, |machine| {
            if machine.condition(&c.body)? {
                items.extend(machine.locals.get(c.slot).cloned());
            }
            Ok(())
        })?;
        Ok(Val::list(items))
    }

    /// INVARIANT(keys-unique): the keys are those of a list or map, each once.
    fn transform_map(&mut self, c: &'r Comprehension, range: &Range<'r>) -> Evaluated<'r> {
        let mut entries = Vec::new();
        self.each(c, range, |machine| {
            let Some(key) = machine.locals.get(c.slot).cloned() else {
                return Ok(());
            };
            entries.push((key, machine.eval(&c.body)?));
            Ok(())
        })?;
        self.finished(Val::Map(MapVal::Owned(entries.into())), c.body.span)
    }

    fn transform_map_entry(&mut self, c: &'r Comprehension, range: &Range<'r>) -> Evaluated<'r> {
        let mut entries = Vec::new();
        self.each(c, range, |machine| {
            let body: &'r Node = &c.body;
            let map = match machine.eval(body)? {
                Val::Map(map) => map,
                other => {
                    let message = format!("no such overload: cel.@mapInsert(map, {})", other.type_name());
                    return Err(error(EvalErrorKind::NoSuchOverload, message, body.span));
                }
            };
            for (key, value) in (0..map.len()).filter_map(|at| map.entry(at)) {
                machine.insert(&mut entries, key, value, body.span)?;
            }
            Ok(())
        })?;
        self.finished(Val::Map(MapVal::Owned(entries.into())), c.body.span)
    }

    /// Calls `step` with each element that the filter lets through, its variables in place.
    fn each(
        &mut self,
        c: &'r Comprehension,
        range: &Range<'r>,
        mut step: impl FnMut(&mut Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for at in 0..range.len() {
            self.enter(c, range, at)?;
            let passes = match &c.filter {
                Some(filter) => self.condition(filter)?,
                None => true,
            };
            if passes {
                step(self)?;
            }
        }
        self.locals.truncate(c.slot);
        Ok(())
    }

    /// Puts the variables of element `at` in place: item or key, or both index and item, key and value.
    fn enter(&mut self, c: &'r Comprehension, range: &Range<'r>, at: usize) -> Result<(), Failure> {
        self.charge(1, c.range.span)?;
        self.locals.truncate(c.slot);
        match range {
            _ if c.keyed => {
                if let Some((key, value)) = range.get(at) {
                    self.locals.push(key);
                    self.locals.push(value);
                }
            }
            Range::List(items) => {
                if let Some(item) = items.get(at) {
                    self.locals.push(item);
                }
            }
            Range::Map(map) => {
                if let Some((key, _)) = map.entry(at) {
                    self.locals.push(key);
                }
            }
        }
        Ok(())
    }

    fn finished(&self, value: Val<'r>, span: Span) -> Evaluated<'r> {
        bounded(value, self.budget).map_err(|failure| located(failure, span))
    }
}
