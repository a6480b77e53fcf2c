//! The types of the extension libraries that CEL itself does not know: names, text forms, sizes.

use super::Ty;
use crate::expr::val::{Opaque, SpiffeMatcher};

pub(crate) const IP: Ty = Ty::Opaque(IP_NAME);
pub(crate) const CIDR: Ty = Ty::Opaque(CIDR_NAME);
pub(crate) const HIERARCHY: Ty = Ty::Opaque(HIERARCHY_NAME);
pub(crate) const SPIFFE_ID: Ty = Ty::Opaque(SPIFFE_ID_NAME);
pub(crate) const SPIFFE_TRUST_DOMAIN: Ty = Ty::Opaque(SPIFFE_TRUST_DOMAIN_NAME);
pub(crate) const SPIFFE_MATCHER: Ty = Ty::Opaque(SPIFFE_MATCHER_NAME);

const IP_NAME: &str = "net.IP";
const CIDR_NAME: &str = "net.CIDR";
const HIERARCHY_NAME: &str = "cerbos.lib.hierarchy";
const SPIFFE_ID_NAME: &str = "cerbos.lib.spiffeID";
const SPIFFE_TRUST_DOMAIN_NAME: &str = "cerbos.lib.spiffeTrustDomain";
const SPIFFE_MATCHER_NAME: &str = "cerbos.lib.spiffeMatcher";

impl Opaque {
    /// What `type(...)` says.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Opaque::Hierarchy(_) => HIERARCHY_NAME,
            Opaque::Ip(_) => IP_NAME,
            Opaque::Cidr(..) => CIDR_NAME,
            Opaque::SpiffeId { .. } => SPIFFE_ID_NAME,
            Opaque::SpiffeTrustDomain(_) => SPIFFE_TRUST_DOMAIN_NAME,
            Opaque::SpiffeMatcher(_) => SPIFFE_MATCHER_NAME,
        }
    }

    /// What `string(...)` says; only addresses and ranges have a text.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Opaque::Ip(ip) => Some(ip.to_string()),
            Opaque::Cidr(ip, prefix) => Some(format!("{ip}/{prefix}")),
            Opaque::Hierarchy(_)
            | Opaque::SpiffeId { .. }
            | Opaque::SpiffeTrustDomain(_)
            | Opaque::SpiffeMatcher(_) => None,
        }
    }

    /// About how many bytes of text the value holds; what comparing or copying it costs.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Opaque::Hierarchy(segments) => segments.iter().map(|s| s.len() + 1).sum(),
            Opaque::Ip(_) | Opaque::Cidr(..) => 0,
            Opaque::SpiffeId { trust_domain, path } => trust_domain.len() + path.len(),
            Opaque::SpiffeTrustDomain(name) => name.len(),
            Opaque::SpiffeMatcher(SpiffeMatcher::OneOf(ids)) => ids.iter().map(|id| id.len() + 1).sum(),
            Opaque::SpiffeMatcher(SpiffeMatcher::Any | SpiffeMatcher::TrustDomain(_)) => 0,
        }
    }
}
