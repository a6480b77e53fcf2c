//! IP addresses and CIDR ranges: `ip`, `cidr` and their methods, and the peer's `inIPAddrRange`.
//!
//! Addresses with a zone and IPv4 addresses mapped into IPv6 are refused wherever they would be classified or sought
//! in a range, so they cannot slip past one; `inIPAddrRange` alone sees through the mapping.
//! Source: the network extension of CEL.

mod address;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use super::opaque::{CIDR, IP};
use super::{CallCx, CallError, Function, Outcome, Overload, Ty, only_text};
use crate::expr::val::{Opaque, Val};
use crate::expr::wording;

/// The peer's own test of an address against a range.
pub(crate) const IN_IP_ADDR_RANGE: &str = "inIPAddrRange";

pub(crate) const FUNCTIONS: &[Function] = &[
    Function { name: "cidr", overloads: &[Overload::function(&[Ty::String], CIDR)], call: cidr },
    Function {
        name: "containsCIDR",
        overloads: &[
            Overload::method(&[CIDR, CIDR], Ty::Bool),
            Overload::method(&[CIDR, Ty::String], Ty::Bool),
        ],
        call: contains_cidr,
    },
    Function {
        name: "containsIP",
        overloads: &[
            Overload::method(&[CIDR, IP], Ty::Bool),
            Overload::method(&[CIDR, Ty::String], Ty::Bool),
        ],
        call: contains_ip,
    },
    Function { name: "family", overloads: &[Overload::method(&[IP], Ty::Int)], call: family },
    Function {
        name: IN_IP_ADDR_RANGE,
        overloads: &[Overload::method(&[Ty::String, Ty::String], Ty::Bool)],
        call: in_ip_addr_range,
    },
    Function {
        name: "ip",
        overloads: &[Overload::function(&[Ty::String], IP), Overload::method(&[CIDR], IP)],
        call: ip,
    },
    Function {
        name: "ip.isCanonical",
        overloads: &[Overload::function(&[Ty::String], Ty::Bool)],
        call: is_canonical,
    },
    Function { name: "isCIDR", overloads: &[Overload::function(&[Ty::String], Ty::Bool)], call: is_cidr },
    Function { name: "isGlobalUnicast", overloads: IP_CLASS, call: is_global_unicast },
    Function { name: "isIP", overloads: &[Overload::function(&[Ty::String], Ty::Bool)], call: is_ip },
    Function { name: "isLinkLocalMulticast", overloads: IP_CLASS, call: is_link_local_multicast },
    Function { name: "isLinkLocalUnicast", overloads: IP_CLASS, call: is_link_local_unicast },
    Function { name: "isLoopback", overloads: IP_CLASS, call: is_loopback },
    Function { name: "isMask", overloads: &[Overload::method(&[CIDR], Ty::Bool)], call: is_mask },
    Function { name: "isUnspecified", overloads: IP_CLASS, call: is_unspecified },
    Function { name: "masked", overloads: &[Overload::method(&[CIDR], CIDR)], call: masked },
    Function { name: "prefixLength", overloads: &[Overload::method(&[CIDR], Ty::Int)], call: prefix_length },
];

const IP_CLASS: &[Overload] = &[Overload::method(&[IP], Ty::Bool)];

/// `ip(text)`, or `range.ip()`: the address of the range as written.
fn ip<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::String(text)] => parse_ip(text.as_str()).map(ip_val),
        [Val::Opaque(opaque)] => match **opaque {
            Opaque::Cidr(ip, _) => Ok(ip_val(ip)),
            _ => Err(CallError::no_overload()),
        },
        _ => Err(CallError::no_overload()),
    }
}

fn cidr<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    parse_cidr(only_text(args)?).map(cidr_val)
}

fn is_ip<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    Ok(Val::Bool(is_plain_ip(only_text(args)?)))
}

fn is_cidr<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    Ok(Val::Bool(parse_cidr(only_text(args)?).is_ok()))
}

/// Whether the text is the canonical form of its address (RFC 5952).
fn is_canonical<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let text = only_text(args)?;
    Ok(Val::Bool(parse_ip(text)?.to_string() == text))
}

fn family<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    Ok(Val::Int(if only_ip(args)?.is_ipv4() { 4 } else { 6 }))
}

fn is_loopback<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    Ok(Val::Bool(only_ip(args)?.is_loopback()))
}

fn is_unspecified<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    Ok(Val::Bool(only_ip(args)?.is_unspecified()))
}

fn is_link_local_unicast<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    Ok(Val::Bool(link_local_unicast(only_ip(args)?)))
}

fn is_link_local_multicast<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    Ok(Val::Bool(match only_ip(args)? {
        IpAddr::V4(ip) => matches!(ip.octets(), [224, 0, 0, _]),
        // FF02::/16 and, as in the peer, the same scope with any flags.
        IpAddr::V6(ip) => matches!(ip.octets(), [0xff, flags_and_scope, ..] if flags_and_scope & 0x0f == 2),
    }))
}

/// Unicast that may leave the link; private ranges count.
fn is_global_unicast<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let ip = only_ip(args)?;
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    let special = ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || link_local_unicast(ip);
    Ok(Val::Bool(!broadcast && !special))
}

fn link_local_unicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

fn contains_ip<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [range, ip] = args else {
        return Err(CallError::no_overload());
    };
    let range = only_cidr(std::slice::from_ref(range))?;
    let ip = match ip {
        Val::String(text) => refuse_mapped(parse_ip(text.as_str())?, text.as_str())?,
        other => only_ip(std::slice::from_ref(other))?,
    };
    Ok(Val::Bool(contains(range, ip)))
}

fn contains_cidr<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [range, inner] = args else {
        return Err(CallError::no_overload());
    };
    let range = only_cidr(std::slice::from_ref(range))?;
    let inner = match inner {
        Val::String(text) => parse_cidr(text.as_str())?,
        other => only_cidr(std::slice::from_ref(other))?,
    };
    Ok(Val::Bool(range.1 <= inner.1 && contains(range, inner.0)))
}

/// Whether the address of the range has no bit set behind the prefix.
fn is_mask<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (ip, prefix) = only_cidr(args)?;
    Ok(Val::Bool(mask(ip, prefix) == ip))
}

fn masked<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (ip, prefix) = only_cidr(args)?;
    Ok(cidr_val((mask(ip, prefix), prefix)))
}

fn prefix_length<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    Ok(Val::Int(i64::from(only_cidr(args)?.1)))
}

/// An IPv4 address in its mapped IPv6 form is the IPv4 address here, so `::ffff:10.1.2.3` is in `10.0.0.0/8`.
fn in_ip_addr_range<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::String(ip), Val::String(range)] = args else {
        return Err(CallError::no_overload());
    };
    let address = address_in_range(ip.as_str())?;
    let network = Network::of_range(range.as_str()).ok_or_else(|| invalid("CIDR", range.as_str()))?;
    Ok(Val::Bool(network.contains(address)))
}

/// A range as `inIPAddrRange` takes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// `None` if the text is no range.
    pub(crate) fn of_range(text: &str) -> Option<Self> {
        let (address, prefix) = split_cidr(text)?;
        Some(match unmapped(address) {
            v4 @ IpAddr::V4(_) if address.is_ipv6() && prefix >= 96 => {
                Self { address: v4, prefix: prefix - 96 }
            }
            _ => Self { address, prefix },
        })
    }

    /// Whether the address that `text` is lies in the range.
    pub(crate) fn holds(self, text: &str) -> Result<bool, CallError> {
        Ok(self.contains(address_in_range(text)?))
    }

    fn contains(self, address: IpAddr) -> bool {
        contains((self.address, self.prefix), address)
    }
}

fn address_in_range(text: &str) -> Result<IpAddr, CallError> {
    text.parse().map(unmapped).map_err(|_| invalid("IP", text))
}

fn invalid(what: &str, text: &str) -> CallError {
    CallError::invalid(format!("invalid {what} address: {}", wording::shortened(text)))
}

fn unmapped(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

/// An IPv4 address mapped into IPv6 may be written in hexadecimal; it is then good for `==` and `string` only.
fn parse_ip(text: &str) -> Result<IpAddr, CallError> {
    let ip = text.parse::<IpAddr>().map_err(|_| {
        let shown = wording::quoted(text);
        CallError::invalid(match address::why_no_address(text) {
            Some(why) => format!("IP Address {shown} parse error during conversion from string: {why}"),
            None => format!("IP address {shown} with zone value is not allowed"),
        })
    })?;
    if ip.is_ipv6() && text.contains('.') { refuse_mapped(ip, text) } else { Ok(ip) }
}

fn is_plain_ip(text: &str) -> bool {
    parse_ip(text).is_ok_and(|ip| refuse_mapped(ip, text).is_ok())
}

fn parse_cidr(text: &str) -> Result<(IpAddr, u8), CallError> {
    let leading_zero =
        text.rsplit_once('/').is_some_and(|(_, length)| length.len() > 1 && length.starts_with('0'));
    let (ip, prefix) = split_cidr(text).filter(|_| !leading_zero).ok_or_else(|| {
        let (shown, why) = (wording::quoted(text), address::why_no_prefix(text));
        CallError::invalid(format!("CIDR {shown} parse error during conversion from string: {why}"))
    })?;
    Ok((refuse_mapped(ip, text)?, prefix))
}

/// Address and prefix length of `address/length`; the length is digits only.
fn split_cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (ip, length) = text.split_once('/')?;
    let ip: IpAddr = ip.parse().ok()?;
    let digits_only = length.bytes().all(|b| b.is_ascii_digit());
    let prefix = length.parse().ok().filter(|prefix| digits_only && *prefix <= width(ip))?;
    Some((ip, prefix))
}

fn refuse_mapped(ip: IpAddr, text: &str) -> Result<IpAddr, CallError> {
    if matches!(ip, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()) {
        let shown = wording::quoted(text);
        return Err(CallError::invalid(format!("IPv4-mapped IPv6 address {shown} is not allowed")));
    }
    Ok(ip)
}

fn contains((network, prefix): (IpAddr, u8), ip: IpAddr) -> bool {
    network.is_ipv4() == ip.is_ipv4() && mask(network, prefix) == mask(ip, prefix)
}

/// The address with the bits behind the prefix cleared.
fn mask(ip: IpAddr, prefix: u8) -> IpAddr {
    let cleared = u32::from(width(ip).saturating_sub(prefix));
    match ip {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(cleared).unwrap_or(0)).into()),
        IpAddr::V6(v6) => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & u128::MAX.checked_shl(cleared).unwrap_or(0)))
        }
    }
}

fn width(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn only_ip(args: &[Val<'_>]) -> Result<IpAddr, CallError> {
    match args {
        [Val::Opaque(opaque)] => match **opaque {
            Opaque::Ip(ip) => refuse_mapped(ip, &ip.to_string()),
            _ => Err(CallError::no_overload()),
        },
        _ => Err(CallError::no_overload()),
    }
}

fn only_cidr(args: &[Val<'_>]) -> Result<(IpAddr, u8), CallError> {
    match args {
        [Val::Opaque(opaque)] => match **opaque {
            Opaque::Cidr(ip, prefix) => Ok((ip, prefix)),
            _ => Err(CallError::no_overload()),
        },
        _ => Err(CallError::no_overload()),
    }
}

fn ip_val<'r>(ip: IpAddr) -> Val<'r> {
    Val::Opaque(Arc::new(Opaque::Ip(ip)))
}

fn cidr_val<'r>((ip, prefix): (IpAddr, u8)) -> Val<'r> {
    Val::Opaque(Arc::new(Opaque::Cidr(ip, prefix)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, check, refuses, s};
    use super::*;
    use Val::{Bool, Int};

    fn ip_of(text: &str) -> Val<'static> {
        call("ip", &[s(text)]).unwrap()
    }

    fn range(text: &str) -> Val<'static> {
        call("cidr", &[s(text)]).unwrap()
    }

    #[test]
    fn only_plain_addresses_parse() {
        for good in ["192.168.0.1", "::1", "2001:DB8::68", "0.0.0.0"] {
            check("isIP", &[s(good)], &Bool(true));
        }
        for bad in
            ["", "1.2.3", "1.2.3.04", "192.168.0.1.0", "2001:db8:::68", "fe80::1%en0", "::ffff:1.2.3.4"]
        {
            check("isIP", &[s(bad)], &Bool(false));
            refuses("ip", &[s(bad)]);
            refuses("ip.isCanonical", &[s(bad)]);
        }
        check("ip.isCanonical", &[s("2001:db8::68")], &Bool(true));
        check("ip.isCanonical", &[s("2001:DB8::68")], &Bool(false));
        for bad in [
            "192.168.0.0/",
            "192.168.0.0/33",
            "1.2.3.4",
            "::/129",
            "1.2.3.4/+8",
            "1.2.3.4/08",
            "::ffff:1.2.3.4/99",
        ] {
            check("isCIDR", &[s(bad)], &Bool(false));
            refuses("cidr", &[s(bad)]);
        }
    }

    #[test]
    fn a_mapped_address_is_of_no_use_but_for_equality() {
        check("isIP", &[s("::ffff:c0a8:1")], &Bool(false));
        check("ip", &[s("::ffff:c0a8:1")], &ip_of("::ffff:c0a8:1"));
        refuses("family", &[ip_of("::ffff:c0a8:1")]);
        refuses("isLoopback", &[ip_of("::ffff:7f00:1")]);
        refuses("containsIP", &[range("192.168.0.0/16"), ip_of("::ffff:c0a8:1")]);
        refuses("containsIP", &[range("192.168.0.0/16"), s("::ffff:c0a8:1")]);
    }

    #[test]
    fn addresses_have_a_family_and_classes() {
        check("family", &[ip_of("1.2.3.4")], &Int(4));
        check("family", &[ip_of("2001:db8::68")], &Int(6));
        let cases = [
            ("isLoopback", "127.0.0.1", true),
            ("isLoopback", "::2", false),
            ("isUnspecified", "::", true),
            ("isGlobalUnicast", "10.0.0.1", true),
            ("isGlobalUnicast", "255.255.255.255", false),
            ("isGlobalUnicast", "224.0.0.1", false),
            ("isGlobalUnicast", "fe80::1", false),
            ("isGlobalUnicast", "2001:db8::abcd", true),
            ("isLinkLocalUnicast", "169.254.169.254", true),
            ("isLinkLocalUnicast", "fd80::1", false),
            ("isLinkLocalMulticast", "224.0.0.1", true),
            ("isLinkLocalMulticast", "224.0.1.1", false),
            ("isLinkLocalMulticast", "ff02::1", true),
            ("isLinkLocalMulticast", "ff05::1", false),
        ];
        for (name, ip, expected) in cases {
            check(name, &[ip_of(ip)], &Bool(expected));
        }
    }

    #[test]
    fn ranges_contain_addresses_and_ranges_of_their_family() {
        let contains = |outer, inner, expected| {
            check("containsCIDR", &[range(outer), s(inner)], &Bool(expected));
            check("containsCIDR", &[range(outer), range(inner)], &Bool(expected));
        };
        contains("192.168.0.0/24", "192.168.0.0/25", true);
        contains("192.168.0.0/24", "192.168.0.0/23", false);
        contains("10.0.0.0/8", "10.0.0.0/8", true);
        contains("0.0.0.0/0", "1.2.3.4/32", true);
        contains("::/0", "1.2.3.4/32", false);
        check("containsIP", &[range("2001:db8::/32"), ip_of("2001:db8::1")], &Bool(true));
        check("containsIP", &[range("2001:db8::/32"), s("192.168.1.1")], &Bool(false));
        refuses("containsIP", &[range("10.0.0.0/8"), s("nonsense")]);
    }

    #[test]
    fn a_range_keeps_the_address_as_written() {
        check("ip", &[range("192.168.1.5/24")], &ip_of("192.168.1.5"));
        check("masked", &[range("192.168.1.5/24")], &range("192.168.1.0/24"));
        check("masked", &[range("2001:db8::1/0")], &range("::/0"));
        check("isMask", &[range("192.168.0.0/24")], &Bool(true));
        check("isMask", &[range("192.168.0.0/8")], &Bool(false));
        check("prefixLength", &[range("::1/128")], &Int(128));
    }

    #[test]
    fn the_peers_range_test_sees_through_mapped_addresses() {
        let within = |ip, range, expected| check("inIPAddrRange", &[s(ip), s(range)], &Bool(expected));
        within("10.1.2.3", "10.0.0.0/8", true);
        within("::ffff:10.1.2.3", "10.0.0.0/8", true);
        within("10.1.2.3", "::ffff:10.0.0.0/104", true);
        within("10.1.2.3", "10.0.0.0/08", true);
        within("::1", "::/0", true);
        within("10.1.2.3", "::/0", false);
        refuses("inIPAddrRange", &[s("nonsense"), s("10.0.0.0/8")]);
        refuses("inIPAddrRange", &[s("10.1.2.3"), s("10.0.0.0")]);
    }
}
