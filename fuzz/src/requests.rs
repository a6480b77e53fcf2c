//! What callers send.

use procura::fuzzing::http;
use procura::http::RequestLimits;
use procura::http::cerbos::CheckCall;
use procura::telemetry::TraceParent;

/// Limits that short inputs meet.
fn small() -> RequestLimits {
    RequestLimits {
        max_actions_per_resource: 4,
        max_resources_per_request: 3,
        max_roles: 4,
        max_string_bytes: 64,
        ..RequestLimits::default()
    }
}

/// The body of a check, of each of the three kinds.
///
/// Whatever the direct reader takes, the other one understands the same; no valid call passes a limit.
pub(crate) fn check(data: &[u8]) {
    for limits in [&small(), &RequestLimits::default()] {
        let (direct, any) = http::both_readers(data, limits);
        if let Some(direct) = direct {
            assert_eq!(Ok(direct), any, "the readers disagree");
        }
        for call in [
            CheckCall::parse(data, limits),
            http::resource_set(data, limits),
            http::resource_batch(data, limits),
        ] {
            call.iter().for_each(|call| is_within(call, limits));
        }
    }
}

/// The body of an evaluation of AuthZEN. No valid call passes a limit.
pub(crate) fn authzen(data: &[u8]) {
    for limits in [&small(), &RequestLimits::default()] {
        http::evaluation(data, limits).iter().for_each(|call| is_within(call, limits));
    }
}

/// What stands in the head of a request: the parts are a query, a host and an origin.
///
/// Who is of this machine has an address of loopback, or its name.
pub(crate) fn edge(data: &[u8]) {
    let parts: Vec<_> = crate::parts(data).take(3).collect();
    let part = |number: usize| parts.get(number).map(|part| &**part).unwrap_or_default();
    if let Ok(uri) = format!("/api/decisions?{}", part(0)).parse() {
        http::queries(&uri);
    }
    let (host, origin) = (part(1), part(2));
    if let Ok(uri) = part(0).parse::<::http::Uri>()
        && http::is_unambiguous(&uri, host)
    {
        let named = uri.authority().map_or(host, |authority| authority.as_str());
        assert!(named.eq_ignore_ascii_case(host) && uri.path() != "", "`{uri}` is read for `{host}`");
    }
    let (is_own_host, is_own_origin) = http::are_loopback(host, origin);
    let may_be = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.contains("localhost") || text.contains("127.") || text.contains("::1") || text.contains(":1")
    };
    assert!(!is_own_host || may_be(host), "`{host}` is taken for this machine");
    assert!(!is_own_origin || may_be(origin), "`{origin}` is taken for this machine");
    if let Ok(uri) = format!("http://{host}/").parse::<::http::Uri>()
        && is_own_host
    {
        let named = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        let address = named.parse::<std::net::IpAddr>().map(|address| address.to_canonical());
        let is_own = named == "localhost" || address.is_ok_and(|address| address.is_loopback());
        assert!(is_own, "`{host}` is taken for this machine, and names `{named}`");
    }
}

/// A `traceparent`. What is understood of it stands in it, and is what the standard says it may be.
pub(crate) fn trace(data: &[u8]) {
    let Some(parent) = TraceParent::parse(data) else { return };
    let flags = data.get(53..55).expect("a header that long");
    let said = format!("-{}-{}-{}", parent.trace_id(), parent.span_id(), String::from_utf8_lossy(flags));
    assert_eq!(data.get(2..55), Some(said.as_bytes()), "something else is understood");
    let is_id = |id: &str, length| {
        let is_digit = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
        id.len() == length && id.bytes().all(is_digit) && id.bytes().any(|digit| digit != b'0')
    };
    assert!(is_id(parent.trace_id(), 32) && is_id(parent.span_id(), 16), "{parent:?}");
    assert!(
        TraceParent::parse(format!("00{said}").as_bytes())
            .is_some_and(|again| again.trace_id() == parent.trace_id())
    );
}

fn is_within(check: &CheckCall<'_>, limits: &RequestLimits) {
    let request = &check.call.request;
    let is_name = |name: &str| !name.is_empty() && name.len() <= limits.max_string_bytes;
    assert!((1..=limits.max_resources_per_request).contains(&request.items.len()));
    assert!((1..=limits.max_roles).contains(&request.principal.roles.len()));
    assert!(is_name(&request.principal.id) && request.principal.roles.iter().all(|role| is_name(role)));
    for item in &request.items {
        assert!((1..=limits.max_actions_per_resource).contains(&item.actions.len()));
        assert!(item.actions.iter().all(|action| is_name(action)));
        assert!(is_name(&item.resource.kind) && is_name(&item.resource.id));
    }
}
