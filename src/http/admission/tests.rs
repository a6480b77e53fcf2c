//! Pools without sockets: who gets room, who waits, who is refused.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::{Account, Accounts, FairPool, Guest, Share};
use crate::http::CallerLimits;
use crate::http::error::Refusal;

const SIZE: u32 = 12;

fn pool() -> Arc<FairPool> {
    FairPool::new(SIZE, Duration::from_millis(20), |account| &account.work)
}

fn account() -> Arc<Account> {
    Arc::new(Account::new(&CallerLimits::default()))
}

async fn take(pool: &Arc<FairPool>, account: &Arc<Account>, units: u32) -> Result<Share, Refusal> {
    let mut share = pool.share_of(account);
    share.grow(units).await?;
    Ok(share)
}

#[tokio::test]
async fn room_is_free_again_once_dropped() {
    let (pool, one) = (pool(), account());
    let mut share = take(&pool, &one, 7).await.unwrap();
    share.grow(10).await.unwrap();
    assert_eq!(pool.taken(), 10);
    assert!(matches!(take(&pool, &one, 3).await, Err(Refusal::Overloaded)));
    share.clear();
    assert_eq!(pool.taken(), 0);
    drop((take(&pool, &one, 12).await.unwrap(), share));
    assert_eq!(pool.taken(), 0);
}

#[tokio::test]
async fn more_than_there_is_runs_alone() {
    let (pool, one) = (pool(), account());
    let heavy = take(&pool, &one, 1_000_000).await.unwrap();
    assert_eq!(pool.taken(), SIZE);
    assert!(matches!(take(&pool, &one, 1).await, Err(Refusal::Overloaded)));
    drop(heavy);
    take(&pool, &one, 1).await.unwrap();
}

#[tokio::test]
async fn caller_below_its_share_is_served_however_much_another_has() {
    let (pool, flood, guest) = (pool(), account(), account());
    let mut taken = Vec::new();
    while let Ok(share) = take(&pool, &flood, 1).await {
        taken.push(share);
    }
    assert_eq!(taken.len(), SIZE as usize);
    let mut guests = Vec::new();
    while let Ok(share) = take(&pool, &guest, 1).await {
        guests.push(share);
    }
    assert_eq!(guests.len(), SIZE as usize / 2, "half of the room, for one of two");
    taken.truncate(7);
    assert!(matches!(take(&pool, &flood, 1).await, Err(Refusal::Overloaded)), "the one with more gives way");
    taken.truncate(5);
    take(&pool, &flood, 1).await.unwrap();
}

#[tokio::test]
async fn nobody_has_more_than_one_caller_may() {
    let limits = CallerLimits { concurrent: 3, ..CallerLimits::default() };
    let (pool, one) = (pool(), Arc::new(Account::new(&limits)));
    let three = take(&pool, &one, 3).await.unwrap();
    assert!(matches!(take(&pool, &one, 1).await, Err(Refusal::TooManyAtOnce)));
    drop(three);
    let large = take(&pool, &one, 50).await.unwrap();
    assert_eq!(pool.taken(), 3);
    drop(large);
}

#[tokio::test]
async fn freed_room_goes_to_whoever_holds_least_and_is_not_taken_by_newcomers() {
    let pool = FairPool::new(SIZE, Duration::from_secs(60), |account| &account.work);
    let (flood, heavy) = (account(), account());
    let mut taken = Vec::new();
    for _ in 0..SIZE {
        taken.push(take(&pool, &flood, 1).await.unwrap());
    }
    let waiting = tokio::spawn({
        let (pool, heavy) = (Arc::clone(&pool), Arc::clone(&heavy));
        async move { take(&pool, &heavy, 8).await.map(|share| (share, pool.taken())) }
    });
    while pool.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    taken.truncate(8);
    assert!(!waiting.is_finished());
    let mut newcomer = pool.share_of(&flood);
    assert!(!newcomer.try_grow(1, u32::MAX).unwrap(), "four are free, and they are spoken for");
    taken.truncate(4);
    let (share, all) = waiting.await.unwrap().unwrap();
    assert_eq!(all, 12);
    drop((share, taken));
    assert_eq!(pool.taken(), 0);
}

#[tokio::test]
async fn whoever_gives_up_leaves_the_line() {
    let (pool, one, other) = (pool(), account(), account());
    let all = take(&pool, &one, 12).await.unwrap();
    assert!(take(&pool, &other, 8).await.is_err());
    assert_eq!(pool.waiting(), 0);
    drop(all);
    take(&pool, &one, 12).await.unwrap();
}

proptest! {
    #[test]
    fn no_more_than_twice_the_room_is_ever_held_and_all_of_it_comes_back(
        steps in proptest::collection::vec((0_usize..5, 1_u32..6, any::<bool>()), 1..200)
    ) {
        let (pool, accounts) = (pool(), [(); 5].map(|()| account()));
        let mut held: Vec<(usize, u32, Share)> = Vec::new();
        for (who, units, gives_back) in steps {
            if gives_back && !held.is_empty() {
                held.swap_remove(who % held.len());
                continue;
            }
            let mut share = pool.share_of(&accounts[who]);
            let had: u32 = held.iter().filter(|entry| entry.0 == who).map(|entry| entry.1).sum();
            let holders = (0..5).filter(|n| *n == who || held.iter().any(|entry| entry.0 == *n)).count();
            let taken = share.try_grow(units, u32::MAX).unwrap();
            let is_fair = had + units <= SIZE / u32::try_from(holders).unwrap();
            let is_bounded = pool.taken() + units <= 2 * SIZE;
            prop_assert!(taken || !is_fair || !is_bounded, "{had} + {units} for one of {holders} was refused");
            if taken {
                held.push((who, units, share));
            }
            prop_assert!(pool.taken() <= 2 * SIZE);
            prop_assert_eq!(pool.taken(), held.iter().map(|entry| entry.1).sum::<u32>());
        }
        held.clear();
        prop_assert_eq!(pool.taken(), 0);
        drop(accounts);
    }
}

#[test]
fn network_that_shows_too_many_bad_credentials_is_not_heard_and_others_are() {
    let accounts = Accounts::new(CallerLimits::default());
    let guest = |address: &str| Guest::new(format!("{address}:1").parse().unwrap(), &accounts);
    let (one, same, other) = (guest("10.0.0.1"), guest("10.0.0.1"), guest("10.0.0.2"));
    for _ in 0..500 {
        one.has_shown_bad_credential();
        same.may_show_credential().unwrap();
    }
    let wait = (0..100_000).find_map(|_| {
        one.has_shown_bad_credential();
        same.may_show_credential().err()
    });
    assert!(wait.is_some_and(|wait| wait <= Duration::from_millis(10)), "{wait:?}");
    other.may_show_credential().unwrap();
}
