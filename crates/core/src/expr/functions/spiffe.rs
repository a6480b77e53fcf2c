//! SPIFFE ids, trust domains and matchers.
//!
//! Text is checked as the SPIFFE-ID standard §2 demands. Source: the peer's SPIFFE functions.

use std::sync::Arc;

use super::opaque::{SPIFFE_ID, SPIFFE_MATCHER, SPIFFE_TRUST_DOMAIN};
use super::{CallCx, CallError, Function, Outcome, Overload, Ty};
use crate::expr::EvalErrorKind;
use crate::expr::val::{List, Opaque, SpiffeMatcher, Val};
use crate::model::spiffe;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        name: "id",
        overloads: &[
            Overload::function(&[Ty::Dyn], Ty::Dyn),
            Overload::method(&[SPIFFE_TRUST_DOMAIN], Ty::String),
        ],
        call: id,
    },
    Function {
        name: "isMemberOf",
        overloads: &[Overload::method(&[SPIFFE_ID, SPIFFE_TRUST_DOMAIN], Ty::Bool)],
        call: is_member_of,
    },
    Function {
        name: "matchesID",
        overloads: &[
            Overload::method(&[SPIFFE_MATCHER, SPIFFE_ID], Ty::Bool),
            Overload::method(&[SPIFFE_MATCHER, Ty::String], Ty::Bool),
        ],
        call: matches_id,
    },
    Function { name: "name", overloads: &[Overload::method(&[SPIFFE_TRUST_DOMAIN], Ty::String)], call: name },
    Function { name: "path", overloads: &[Overload::method(&[SPIFFE_ID], Ty::String)], call: path },
    Function {
        name: "spiffeID",
        overloads: &[Overload::function(&[Ty::String], SPIFFE_ID)],
        call: spiffe_id,
    },
    Function {
        name: "spiffeMatchAny",
        overloads: &[Overload::function(&[], SPIFFE_MATCHER)],
        call: match_any,
    },
    Function {
        name: "spiffeMatchExact",
        overloads: &[
            Overload::function(&[SPIFFE_ID], SPIFFE_MATCHER),
            Overload::function(&[Ty::String], SPIFFE_MATCHER),
        ],
        call: match_exact,
    },
    Function {
        name: "spiffeMatchOneOf",
        overloads: &[
            Overload::function(&[Ty::List(&SPIFFE_ID)], SPIFFE_MATCHER),
            Overload::function(&[Ty::List(&Ty::String)], SPIFFE_MATCHER),
        ],
        call: match_one_of,
    },
    Function {
        name: "spiffeMatchTrustDomain",
        overloads: &[
            Overload::function(&[SPIFFE_TRUST_DOMAIN], SPIFFE_MATCHER),
            Overload::function(&[Ty::String], SPIFFE_MATCHER),
        ],
        call: match_trust_domain,
    },
    Function {
        name: "spiffeTrustDomain",
        overloads: &[Overload::function(&[Ty::String], SPIFFE_TRUST_DOMAIN)],
        call: spiffe_trust_domain,
    },
    Function {
        name: "trustDomain",
        overloads: &[Overload::method(&[SPIFFE_ID], SPIFFE_TRUST_DOMAIN)],
        call: trust_domain,
    },
];

/// Whether `text` spells the id or trust domain: they are equal to their text, so that they compare with
/// attributes as they stand.
pub(crate) fn is_spelled(opaque: &Opaque, text: &str) -> bool {
    match opaque {
        Opaque::SpiffeId { trust_domain, path } => {
            let rest =
                text.strip_prefix("spiffe://").and_then(|rest| rest.strip_prefix(trust_domain.as_str()));
            rest == Some(path)
        }
        Opaque::SpiffeTrustDomain(name) => spelled_domain(text).is_ok_and(|spelled| spelled == *name),
        Opaque::Hierarchy(_) | Opaque::Ip(_) | Opaque::Cidr(..) | Opaque::SpiffeMatcher(_) => false,
    }
}

/// A trust domain and a path.
struct Id {
    trust_domain: String,
    path: String,
}

/// `trustDomain.id()` is the id of the trust domain; `id(x)` of anything else is `x`.
fn id<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [value] = args else {
        return Err(CallError::no_overload());
    };
    match value {
        Val::Opaque(opaque) if matches!(**opaque, Opaque::SpiffeTrustDomain(_)) => {
            Ok(Val::string(&format!("spiffe://{}", domain_of(value)?)))
        }
        other => Ok(other.clone()),
    }
}

fn name<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [domain @ Val::Opaque(_)] = args else {
        return Err(CallError::no_overload());
    };
    Ok(Val::string(&domain_of(domain)?))
}

fn spiffe_id<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [value @ Val::String(_)] = args else {
        return Err(CallError::no_overload());
    };
    let Id { trust_domain, path } = id_of(value)?;
    Ok(Val::Opaque(Arc::new(Opaque::SpiffeId { trust_domain, path })))
}

fn spiffe_trust_domain<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [value @ Val::String(_)] = args else {
        return Err(CallError::no_overload());
    };
    Ok(domain_val(domain_of(value)?))
}

fn trust_domain<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [id @ Val::Opaque(_)] = args else {
        return Err(CallError::no_overload());
    };
    Ok(domain_val(id_of(id)?.trust_domain))
}

fn path<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [id @ Val::Opaque(_)] = args else {
        return Err(CallError::no_overload());
    };
    Ok(Val::string(&id_of(id)?.path))
}

fn is_member_of<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [id @ Val::Opaque(_), domain @ Val::Opaque(_)] = args else {
        return Err(CallError::no_overload());
    };
    Ok(Val::Bool(id_of(id)?.trust_domain == domain_of(domain)?))
}

fn match_any<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [] = args else {
        return Err(CallError::no_overload());
    };
    Ok(matcher(SpiffeMatcher::Any))
}

fn match_exact<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [id] = args else {
        return Err(CallError::no_overload());
    };
    Ok(matcher(SpiffeMatcher::OneOf(vec![id_of(id)?.text()])))
}

fn match_one_of<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::List(list)] = args else {
        return Err(CallError::no_overload());
    };
    Ok(matcher(SpiffeMatcher::OneOf(ids_of(cx, list)?)))
}

fn ids_of(cx: &CallCx<'_>, list: &List<'_>) -> Result<Vec<String>, CallError> {
    let mut ids = Vec::new();
    for item in list.iter() {
        let id = id_of(&item).map_err(|_| no_ids(list, &item))?.text();
        cx.charge(1)?;
        cx.charge_bytes(id.len())?;
        ids.push(id);
    }
    Ok(ids)
}

/// The peer takes the items of a list for ids or for nothing.
fn no_ids(list: &List<'_>, item: &Val<'_>) -> CallError {
    match (list, item) {
        (List::Owned(_), _) | (_, Val::String(_)) => {
            CallError { kind: EvalErrorKind::NoSuchOverload, message: "no such overload".to_owned() }
        }
        _ => CallError::no_overload(),
    }
}

fn match_trust_domain<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [domain] = args else {
        return Err(CallError::no_overload());
    };
    Ok(matcher(SpiffeMatcher::TrustDomain(domain_of(domain)?)))
}

fn matches_id<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::Opaque(opaque), id] = args else {
        return Err(CallError::no_overload());
    };
    let Opaque::SpiffeMatcher(matcher) = &**opaque else {
        return Err(CallError::no_overload());
    };
    let id = match id {
        Val::String(text) => {
            parse_id(text.as_str()).map_err(|why| CallError::invalid(format!("invalid SPIFFE ID: {why}")))?
        }
        other => id_of(other)?,
    };
    cx.charge_bytes(opaque.bytes())?;
    Ok(Val::Bool(match matcher {
        SpiffeMatcher::Any => true,
        SpiffeMatcher::OneOf(ids) => ids.contains(&id.text()),
        SpiffeMatcher::TrustDomain(domain) => id.trust_domain == *domain,
    }))
}

impl Id {
    fn text(&self) -> String {
        format!("spiffe://{}{}", self.trust_domain, self.path)
    }
}

/// The id that a value is or that its text spells.
fn id_of(value: &Val<'_>) -> Result<Id, CallError> {
    match value {
        Val::String(text) => parse_id(text.as_str()).map_err(invalid_id),
        Val::Opaque(opaque) => match &**opaque {
            Opaque::SpiffeId { trust_domain, path } => {
                Ok(Id { trust_domain: trust_domain.clone(), path: path.clone() })
            }
            _ => Err(CallError::no_overload()),
        },
        _ => Err(CallError::no_overload()),
    }
}

/// The name of the trust domain that a value is or that its text spells, as a name or as the id of anything in it.
fn domain_of(value: &Val<'_>) -> Result<String, CallError> {
    match value {
        Val::String(text) => spelled_domain(text.as_str())
            .map_err(|why| CallError::invalid(format!("failed to parse SPIFFE trust domain: {why}"))),
        Val::Opaque(opaque) => match &**opaque {
            Opaque::SpiffeTrustDomain(name) => Ok(name.clone()),
            _ => Err(CallError::no_overload()),
        },
        _ => Err(CallError::no_overload()),
    }
}

/// A name, or the id of anything in the trust domain.
fn spelled_domain(text: &str) -> Result<String, &'static str> {
    let domain = if text.contains(":/") { spiffe::id(text)?.0 } else { spiffe::trust_domain(text)? };
    Ok(domain.to_owned())
}

fn parse_id(text: &str) -> Result<Id, &'static str> {
    let (trust_domain, path) = spiffe::id(text)?;
    Ok(Id { trust_domain: trust_domain.to_owned(), path: path.to_owned() })
}

fn invalid_id(why: &str) -> CallError {
    CallError::invalid(format!("failed to parse SPIFFE ID: {why}"))
}

fn domain_val<'r>(name: String) -> Val<'r> {
    Val::Opaque(Arc::new(Opaque::SpiffeTrustDomain(name)))
}

fn matcher<'r>(matcher: SpiffeMatcher) -> Val<'r> {
    Val::Opaque(Arc::new(Opaque::SpiffeMatcher(matcher)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, check, refuses, s, texts};
    use super::*;
    use Val::Bool;

    fn spiffe_id(text: &str) -> Val<'static> {
        call("spiffeID", &[s(text)]).unwrap()
    }

    fn domain(text: &str) -> Val<'static> {
        call("spiffeTrustDomain", &[s(text)]).unwrap()
    }

    #[test]
    fn an_id_has_a_trust_domain_and_a_path() {
        let id = || spiffe_id("spiffe://cerbos.dev/ns/privileged/sa/curl");
        check("path", &[id()], &s("/ns/privileged/sa/curl"));
        check("path", &[spiffe_id("spiffe://cerbos.dev")], &s(""));
        check("trustDomain", &[id()], &domain("cerbos.dev"));
        check("isMemberOf", &[id(), domain("spiffe://cerbos.dev")], &Bool(true));
        check("isMemberOf", &[id(), domain("other.dev")], &Bool(false));
        refuses("spiffeTrustDomain", &[id()]);
    }

    #[test]
    fn a_trust_domain_has_a_name_and_an_id() {
        check("name", &[domain("spiffe://cerbos.dev")], &s("cerbos.dev"));
        check("id", &[domain("cerbos.dev")], &s("spiffe://cerbos.dev"));
        check("id", &[Val::Double(5.0)], &Val::Double(5.0));
    }

    #[test]
    fn text_outside_the_standard_is_refused() {
        let long = format!("spiffe://d/{}", "x".repeat(2048));
        for bad in [
            "bad",
            "",
            "spiffe://",
            "spiffe:///x",
            "SPIFFE://d/x",
            "spiffe://D/x",
            "spiffe://d/",
            "spiffe://d//x",
            "spiffe://d/../x",
            "spiffe://d/x/",
            "spiffe://d/x?y",
            "spiffe://d:80/x",
            "spiffe://user@d/x",
            "spiffe://d/%20",
            long.as_str(),
        ] {
            refuses("spiffeID", &[s(bad)]);
        }
        refuses("spiffeTrustDomain", &[s("Upper.dev")]);
        refuses("spiffeTrustDomain", &[s("spiffe://d//x")]);
    }

    #[test]
    fn matchers_accept_what_they_name() {
        let id = || spiffe_id("spiffe://d/x");
        let accepts = |matcher: Result<Val<'static>, _>, expected| {
            check("matchesID", &[matcher.unwrap(), id()], &Bool(expected));
        };
        accepts(call("spiffeMatchAny", &[]), true);
        accepts(call("spiffeMatchExact", &[s("spiffe://d/x")]), true);
        accepts(call("spiffeMatchExact", &[spiffe_id("spiffe://d/x/y")]), false);
        accepts(call("spiffeMatchOneOf", &[texts(&["spiffe://d/y", "spiffe://d/x"])]), true);
        accepts(call("spiffeMatchOneOf", &[Val::list(vec![spiffe_id("spiffe://d/y")])]), false);
        accepts(call("spiffeMatchOneOf", &[texts(&[])]), false);
        accepts(call("spiffeMatchTrustDomain", &[domain("d")]), true);
        accepts(call("spiffeMatchTrustDomain", &[s("e")]), false);
        refuses("spiffeMatchOneOf", &[texts(&["bad"])]);
        refuses("matchesID", &[call("spiffeMatchAny", &[]).unwrap(), s("bad")]);
    }
}
