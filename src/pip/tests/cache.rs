//! What is remembered of tokens changes no answer.

use std::sync::atomic::{AtomicI64, Ordering};

use procura_testkit::key_server::{Behaviour, KeyServer};
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::*;

/// One thing that happens to a server.
#[derive(Clone, Debug)]
enum Step {
    /// This token is asked about, with this key set named.
    Ask(usize, &'static str),
    /// The clock goes so many seconds.
    Pass(i64),
    /// The issuer has other keys, and somebody misses one.
    Rotate(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ask =
        (0..8_usize, prop::sample::select(vec!["", "far", "other"])).prop_map(|(t, set)| Step::Ask(t, set));
    let step = prop_oneof![
        12 => ask,
        2 => (-40..60_i64).prop_map(Step::Pass),
        1 => (0..3_usize).prop_map(Step::Rotate),
    ];
    prop::collection::vec(step, 1..40)
}

fn verifier(server: &KeyServer) -> Verifier {
    let source = KeySource::Remote { url: server.url(), refresh_interval: Duration::from_secs(24 * 60 * 60) };
    let timing = RemoteTiming { pause: Duration::ZERO, ..RemoteTiming::default() };
    let key_sets = vec![set("far", source, KeyRules::default())];
    let skew = Duration::from_secs(2);
    start(&TokenSettings { key_sets, timing, skew, ..TokenSettings::default() }).unwrap().0
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn remembered_tokens_are_answered_as_if_each_came_for_the_first_time(steps in steps()) {
        let keys = ["a", "b"].map(|kid| SigningKey::generate("ES256", kid));
        let published = [jwks(&[keys[0].jwk()]), jwks(&[keys[1].jwk()]), jwks(&[keys[0].jwk(), keys[1].jwk()])];
        let tokens: Vec<String> = (0..8_i64)
            .map(|i| {
                let instants = json!({"exp": NOW + 10 * i, "nbf": NOW - 30 + 5 * i, "iat": NOW - 20, "n": i});
                keys[usize::from(i % 2 == 1)].token(&instants)
            })
            .collect();
        let missed = SigningKey::generate("ES256", "missed").token(&json!({}));
        Runtime::new().unwrap().block_on(async {
            let server = KeyServer::with_keys(published[2].clone()).await;
            let remembering = verifier(&server);
            let mut now = FixedClock.now();
            // Whoever misses a key while the first keys are still on their way waits for those, not for newer ones.
            let first = Token { text: tokens[2].as_str().into(), key_set: "".into() };
            remembering.verify(&first, now).await.unwrap();
            for step in &steps {
                match step {
                    Step::Pass(seconds) => now = Timestamp::from_second(now.as_second() + seconds).unwrap(),
                    Step::Rotate(which) => {
                        server.set(Behaviour::Answer(200, published[*which].clone()));
                        let token = Token { text: missed.as_str().into(), key_set: "".into() };
                        remembering.verify(&token, now).await.unwrap_err();
                    }
                    Step::Ask(which, key_set) => {
                        let token = Token { text: tokens[*which].as_str().into(), key_set: (*key_set).into() };
                        let fresh = verifier(&server).verify(&token, now).await;
                        assert_eq!(remembering.verify(&token, now).await, fresh, "{step:?} of {steps:?}");
                    }
                }
            }
        });
    }
}

#[test]
fn token_is_never_believed_by_a_key_that_is_gone_or_beyond_its_end_however_many_ask() {
    let (old, new) = (SigningKey::generate("ES256", "old"), SigningKey::generate("ES256", "new"));
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let server = KeyServer::with_keys(jwks(&[old.jwk()])).await;
        let verifier = Arc::new(verifier(&server));
        let token = old.token(&json!({"exp": NOW + 1000}));
        let clock = Arc::new(AtomicI64::new(NOW));
        let asking = (0..8).map(|_| {
            let (verifier, token, clock) = (Arc::clone(&verifier), token.clone(), Arc::clone(&clock));
            tokio::spawn(async move {
                loop {
                    let token = Token { text: token.as_str().into(), key_set: "".into() };
                    let at = Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap();
                    match verifier.verify(&token, at).await {
                        Ok(told) => assert!(at < told.expires.unwrap()),
                        Err(error) => break error.to_string(),
                    }
                    tokio::task::yield_now().await;
                }
            })
        });
        let asking: Vec<_> = asking.collect();
        for second in 0..500 {
            clock.store(NOW + second, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
        server.set(Behaviour::Answer(200, jwks(&[new.jwk()])));
        assert_eq!(claims(&verifier, &new.token(&json!({}))).await, json!({}));
        let said = refusal(&verifier, &token).await;
        assert!(said.contains("no key with the name"), "{said}");
        for said in asking {
            assert!(said.await.unwrap().contains("no key with the name"));
        }
    });
}
