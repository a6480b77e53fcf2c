//! Who sends webhooks, and what becomes of one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use procura_core::model::Timestamp;
use procura_core::signal::Entitlement;
use procura_core::value::hex;
use sha2::{Digest, Sha256};

use super::mapping::{Mapping, NotMapped};
use super::path::{FactParts, NotStated, Stated};
use super::said::{NotSaid, Saying};
use super::signature::{NotSigned, Signature};
use crate::pdp::{Action, Caller};
use crate::ports::{Applied, SetFault};

/// Largest body, in bytes.
const BODY_BYTES: usize = 1024 * 1024;

/// A source that sends webhooks.
pub struct Webhook {
    /// Its name.
    pub name: Arc<str>,
    /// Who may send for it.
    pub sender: Sender,
    /// What its JSON says.
    pub mapping: Mapping,
    /// What it may state.
    pub entitlement: Entitlement,
}

/// Who may send for a source.
#[derive(Debug)]
pub enum Sender {
    /// Whoever signs.
    Signed(Signature),
    /// The caller of this name, with the right `signals`.
    Caller(String),
}

/// The sources that send webhooks.
pub struct Webhooks {
    parts: FactParts,
    sources: BTreeMap<Arc<str>, Webhook>,
}

/// What became of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The name of the event.
    pub id: Arc<str>,
    /// What it changes.
    pub applied: Applied,
    /// Why it states nothing, if it does not: as in records.
    pub ignored: Option<&'static str>,
}

/// Why a webhook is refused.
#[derive(Debug, thiserror::Error)]
pub enum NotHeard {
    /// There is no such source, or it was not shown that this one sends it.
    #[error("nobody vouches for this webhook")]
    Unvouched,
    /// It is too large.
    #[error("the body is larger than {BODY_BYTES} bytes, the limit")]
    TooLarge,
    /// It is not what the mapping is made for.
    #[error(transparent)]
    NotMapped(#[from] NotMapped),
    /// It states what no such fact is.
    #[error("`facts` yields what is no fact: {0}")]
    NotSaid(#[from] NotSaid),
    /// It is not taken.
    #[error(transparent)]
    NotStated(#[from] NotStated),
}

impl Webhooks {
    /// These `sources`, whose statements go through `parts`.
    #[must_use]
    pub fn new(parts: FactParts, sources: Vec<Webhook>) -> Self {
        let named = |source: Webhook| (Arc::clone(&source.name), source);
        Self { parts, sources: sources.into_iter().map(named).collect() }
    }

    /// Hears `body`, which `caller` sent for `source` with headers that `header` finds by their names in lower case.
    ///
    /// # Errors
    /// If it is refused. That is recorded, unless there is no such source.
    pub async fn hear<'h>(
        &'h self,
        source: &str,
        caller: &Caller,
        header: impl Fn(&str) -> Option<&'h str>,
        body: &'h [u8],
    ) -> Result<Heard, NotHeard> {
        let source = self.sources.get(source).ok_or(NotHeard::Unvouched)?;
        let received = self.parts.clock.now();
        let stated = match source.vouched(caller, header, body, received) {
            Ok(digest) => source.stated(caller, digest, body, received),
            Err(reason) => {
                self.refuse(source, SetFault::AuthenticationFailed, &reason, caller).await?;
                return Err(NotHeard::Unvouched);
            }
        };
        let taken = match stated {
            Ok(stated) => {
                let (id, ignored) = (Arc::clone(&stated.id), stated.ignored);
                let applied = self.parts.take(stated).await;
                applied.map(|applied| Heard { id, applied, ignored }).map_err(NotHeard::from)
            }
            Err(refused) => Err(refused),
        };
        if let Err(refused) = &taken
            && refused.is_of_the_sender()
        {
            self.refuse(source, SetFault::InvalidRequest, &refused.to_string(), caller).await?;
        }
        taken
    }

    async fn refuse(
        &self,
        source: &Webhook,
        fault: SetFault,
        reason: &str,
        caller: &Caller,
    ) -> Result<(), NotHeard> {
        Ok(self.parts.refuse(&source.name, fault.code(), reason, caller).await?)
    }
}

impl NotHeard {
    /// Whether it is the fault of whoever sent it, so that it would be refused again.
    const fn is_of_the_sender(&self) -> bool {
        match self {
            Self::Unvouched | Self::TooLarge | Self::NotMapped(_) | Self::NotSaid(_) => true,
            Self::NotStated(error) => {
                matches!(error, NotStated::Future | NotStated::Ended | NotStated::Late)
            }
        }
    }
}

impl Webhook {
    /// A name for what was sent, if it is shown that this source sends it; else why not.
    fn vouched<'h>(
        &'h self,
        caller: &Caller,
        header: impl Fn(&str) -> Option<&'h str>,
        body: &'h [u8],
        now: Timestamp,
    ) -> Result<String, String> {
        match &self.sender {
            Sender::Signed(signature) => {
                signature.verify(header, body, now).map_err(|error: NotSigned| error.to_string())
            }
            Sender::Caller(name) => {
                let is_it = caller.identity.name.as_ref() == Some(name) && caller.may(Action::Signals);
                let why = "it does not come from the caller of this source, or that may not do `signals`";
                if is_it { Ok(hex(&Sha256::digest(body))) } else { Err(why.to_owned()) }
            }
        }
    }

    /// What `body` states; what the source may not state is left out.
    fn stated(
        &self,
        caller: &Caller,
        digest: String,
        body: &[u8],
        received: Timestamp,
    ) -> Result<Stated, NotHeard> {
        if body.len() > BODY_BYTES {
            return Err(NotHeard::TooLarge);
        }
        let mapped = self.mapping.read(body, received)?;
        let id: Arc<str> = mapped.id.unwrap_or(digest).into();
        let (source, entitlement) = (Arc::clone(&self.name), &self.entitlement);
        let saying = Saying { source: Arc::clone(&source), id: Arc::clone(&id), received, entitlement };
        let mut facts = Vec::new();
        for (number, said) in mapped.said.iter().enumerate() {
            facts.extend(said.facts(&format!("facts[{number}].data"), &saying)?);
        }
        let ignored = match (mapped.said.is_empty(), facts.is_empty()) {
            (true, _) => Some("no_fact"),
            (false, true) => Some("not_entitled"),
            (false, false) => None,
        };
        let mut events: Vec<String> = mapped.said.into_iter().map(|said| said.name).collect();
        events.sort_unstable();
        events.dedup();
        let (via, caller) = ("webhook", caller.clone());
        Ok(Stated { source, via, id, received, events, facts, ignored, caller })
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("name", &self.name).finish_non_exhaustive()
    }
}
