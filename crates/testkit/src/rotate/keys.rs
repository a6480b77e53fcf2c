//! API keys, in a file that the server reads.

use std::path::Path;

use anyhow::Context;
use procura::callers::revoke;

use super::Site;
use super::crowd::Shown;
use crate::callers;

/// The file with the keys.
pub(super) const FILE: &str = "keys.yaml";

/// What the caller `number` shows: a new key in `file`.
pub(super) fn shown(file: &Path, number: usize) -> anyhow::Result<Shown> {
    let new = callers::add_key(file, &format!("caller-{number}"))?;
    Ok(Shown::Key { id: new.id, text: new.text })
}

impl Site {
    /// Callers get new keys, then the old ones are revoked.
    pub(super) async fn api_keys(&mut self) -> anyhow::Result<()> {
        let file = self.files.path().join(FILE);
        let mut new = Vec::new();
        for (number, wanted) in self.shared.wanted().1.iter().enumerate() {
            let renewed = matches!(wanted.shown, Shown::Key { .. }).then(|| shown(&file, number));
            new.push(renewed.transpose()?);
        }
        // The file is taken as a whole, so who finds the last one finds all.
        let last = new.iter().flatten().last().context("nobody has a key")?.clone();
        self.until_served(&last, true).await?;

        let old = self.hand_out(|number, _| new.get_mut(number)?.take()).await?;
        for wanted in &old {
            if let Shown::Key { id, .. } = &wanted.shown {
                revoke(&file, id, jiff::Timestamp::now())?;
            }
        }
        let last = old.last().context("nobody had a key")?.shown.clone();
        self.until_served(&last, false).await?;
        self.are_refused(&old).await
    }
}
