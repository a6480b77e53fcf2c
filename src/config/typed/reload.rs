//! What a changed policy set must show, and the candidate set that is tried beside it.

use std::path::PathBuf;
use std::time::Duration;

use super::{MINUTE, Reader};
use crate::config::{MaxChanged, Reload, Replay};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Types the keys below `reload`.
pub(super) fn reload(reader: &mut Reader) -> Reload {
    let require_tests = reader.switch("reload.requireTests");
    let replay = Replay {
        most: max_changed(reader),
        calls: reader.number("reload.replayCalls", 1..=1_000_000),
        since: reader.duration("reload.replaySince", MINUTE..=366 * DAY),
    };
    Reload { require_tests, replay: Some(replay).filter(|replay| replay.most != MaxChanged::Any) }
}

/// Types the keys below `shadow`.
pub(super) fn shadow(reader: &Reader) -> Option<PathBuf> {
    reader.given("shadow.directory").map(PathBuf::from)
}

/// Refuses what needs the decision log where that is turned off.
pub(super) fn require_log(reader: &mut Reader, reload: &Reload, shadow: Option<&PathBuf>) {
    const WHY: &str = "needs the decision log: turn `audit.enabled` on, or leave it out";
    if reload.replay.is_some() {
        let strict = reader.text("reload.requireNoChange") == "true";
        reader.reject(if strict { "reload.requireNoChange" } else { "reload.maxChanged" }, WHY);
    }
    if shadow.is_some() {
        reader.reject("shadow.directory", WHY);
    }
}

fn max_changed(reader: &mut Reader) -> MaxChanged {
    const KEY: &str = "reload.maxChanged";
    let strict = reader.switch("reload.requireNoChange");
    let text = reader.text(KEY);
    let part = text.strip_suffix('%').and_then(|part| part.trim().parse::<f64>().ok());
    let most = match (text.as_str(), text.parse(), part) {
        ("", ..) => MaxChanged::Any,
        (_, Ok(most), _) => MaxChanged::Decisions(most),
        (.., Some(part)) if (0.0..=100.0).contains(&part) => MaxChanged::Percent(part),
        _ => {
            let advice = format!("must be a whole number or a part from `0%` to `100%`, not `{text}`");
            reader.reject(KEY, advice);
            MaxChanged::Any
        }
    };
    match most {
        MaxChanged::Any if strict => MaxChanged::Decisions(0),
        MaxChanged::Any | MaxChanged::Decisions(0) => most,
        _ if strict => {
            reader.reject(KEY, "lets changes pass that `reload.requireNoChange` does not: set one of them");
            most
        }
        most => most,
    }
}
