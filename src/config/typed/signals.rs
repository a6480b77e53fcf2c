//! Signals: who says what, and what a call presents.

use procura_core::engine::Standing;

use super::Reader;
use crate::config::signals::{
    PresentedRules, PresentedSource, Signals, StreamList, WebhookList, names_problem,
};

/// Types the keys below `signals`.
pub(super) fn signals(reader: &mut Reader) -> Signals {
    let streams = reader.checked("signals.streams", StreamList::check);
    let webhooks = reader.checked("signals.webhooks", WebhookList::check);
    for (key, (member, advice)) in names_problem(&streams, &webhooks) {
        reader.reject_member(key, &member, advice);
    }
    Signals {
        max_facts: reader.count("signals.maxFacts", 1..=10_000_000),
        presented: presented(reader),
        streams,
        webhooks,
    }
}

/// Types which standing rules are in force.
pub(super) fn standing(reader: &mut Reader) -> Standing {
    Standing {
        sessions: reader.switch("signals.standing.sessions"),
        accounts: reader.switch("signals.standing.accounts"),
        credentials: reader.switch("signals.standing.credentials"),
    }
}

fn presented(reader: &mut Reader) -> PresentedRules {
    let mut list = |name: &str, attributes: bool| {
        reader.checked(&format!("signals.presented.{name}"), |texts: Vec<String>| {
            PresentedSource::list(&texts, attributes)
        })
    };
    PresentedRules {
        session: list("session", true),
        device: list("device", true),
        groups: list("groups", true),
        application: list("application", true),
        began: list("began", false),
        methods: list("methods", false),
    }
}
