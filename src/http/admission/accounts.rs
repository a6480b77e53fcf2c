//! Which account a caller has. The table is bounded: who is still in it when it is full stays, newcomers share one.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::account::Account;
use crate::http::limits::CallerLimits;
use crate::pdp::Identity;

/// Most accounts of callers that showed who they are, and most of those that did not: each takes about 200 bytes.
const MOST: usize = 16_384;

/// How often accounts that nobody needs are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// Every account there is.
#[derive(Debug)]
pub(in crate::http) struct Accounts {
    known: Table<(Option<String>, String)>,
    strangers: Table<Network>,
}

/// Addresses that count as one: of IPv6 the network of 64 bits, which is the least that anybody is given (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::http) struct Network(IpAddr);

impl Network {
    /// The network of `address`.
    pub(in crate::http) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) if !address.is_loopback() => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                Self(IpAddr::V6(Ipv6Addr::from(network)))
            }
            address => Self(address),
        }
    }
}

impl Accounts {
    /// No accounts yet; each will be within `limits`.
    pub(in crate::http) fn new(limits: CallerLimits) -> Self {
        Self { known: Table::new(limits), strangers: Table::new(limits) }
    }

    /// The account of `identity`; `None` if it has no name.
    pub(super) fn of_identity(&self, identity: &Identity) -> Option<Arc<Account>> {
        let name = identity.name.clone()?;
        Some(self.known.account((identity.issuer.clone(), name)))
    }

    /// The account of those in `network` that did not show who they are.
    pub(super) fn of_network(&self, network: Network) -> Arc<Account> {
        self.strangers.account(network)
    }
}

#[derive(Debug)]
struct Table<K> {
    limits: CallerLimits,
    entries: Mutex<Entries<K>>,
    /// Of all for whom there is no place.
    crowd: Arc<Account>,
}

#[derive(Debug)]
struct Entries<K> {
    accounts: HashMap<K, Arc<Account>>,
    swept: Option<Instant>,
}

impl<K: Eq + Hash> Table<K> {
    fn new(limits: CallerLimits) -> Self {
        let entries = Entries { accounts: HashMap::new(), swept: None };
        Self { limits, entries: Mutex::new(entries), crowd: Arc::new(Account::new(&limits)) }
    }

    fn account(&self, key: K) -> Arc<Account> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = entries.accounts.get(&key) {
            return Arc::clone(account);
        }
        if entries.accounts.len() >= MOST && !entries.sweep() {
            return Arc::clone(&self.crowd);
        }
        Arc::clone(entries.accounts.entry(key).or_insert_with(|| Arc::new(Account::new(&self.limits))))
    }
}

impl<K: Eq + Hash> Entries<K> {
    /// Whether there is a place now, after those were removed that no connection uses and that say nothing.
    fn sweep(&mut self) -> bool {
        if self.swept.is_none_or(|swept| swept.elapsed() >= SWEEP) {
            self.swept = Some(Instant::now());
            self.accounts.retain(|_, account| Arc::strong_count(account) > 1 || !account.is_as_new());
        }
        self.accounts.len() < MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::of(text.parse().unwrap())
    }

    #[test]
    fn addresses_of_one_network_count_as_one() {
        for (one, other, same) in [
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::9", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
            ("::1", "127.0.0.1", false),
            ("::1", "::2", false),
        ] {
            assert_eq!(network(one) == network(other), same, "{one} and {other}");
        }
    }

    #[test]
    fn strangers_take_no_place_of_known_callers_and_share_an_account_once_there_are_too_many() {
        let accounts = Accounts::new(CallerLimits::default());
        let named = |name: &str| Identity { name: Some(name.into()), ..Identity::default() };
        let gateway = accounts.of_identity(&named("gateway")).unwrap();
        let address = |number: u32| Network::of(IpAddr::V4(number.into()));
        let in_use: Vec<_> = (0..20_000).map(|number| accounts.of_network(address(number))).collect();
        assert!(Arc::ptr_eq(&in_use[19_998], &in_use[19_999]));
        assert!(!Arc::ptr_eq(&in_use[0], &in_use[1]));
        assert!(Arc::ptr_eq(&gateway, &accounts.of_identity(&named("gateway")).unwrap()));
        assert!(accounts.of_identity(&Identity::default()).is_none());
    }

    #[test]
    fn account_that_says_nothing_makes_place() {
        let accounts = Accounts::new(CallerLimits::default());
        let address = |number: u32| Network::of(IpAddr::V4(number.into()));
        let kept = accounts.of_network(address(0));
        for number in 1..20_000 {
            drop(accounts.of_network(address(number)));
        }
        let late = accounts.of_network(address(30_000));
        assert!(!Arc::ptr_eq(&late, &accounts.of_network(address(30_001))));
        assert!(Arc::ptr_eq(&kept, &accounts.of_network(address(0))));
    }

    #[test]
    fn same_name_of_another_issuer_is_another_caller() {
        let accounts = Accounts::new(CallerLimits::default());
        let of = |issuer: Option<&str>| {
            let identity =
                Identity { name: Some("a".into()), issuer: issuer.map(Into::into), ..Identity::default() };
            accounts.of_identity(&identity).unwrap()
        };
        assert!(Arc::ptr_eq(&of(Some("x")), &of(Some("x"))));
        assert!(!Arc::ptr_eq(&of(Some("x")), &of(Some("y"))));
        assert!(!Arc::ptr_eq(&of(Some("x")), &of(None)));
    }
}
