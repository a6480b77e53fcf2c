//! Who sends webhooks, and what becomes of one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use procura_core::model::Timestamp;
use procura_core::value::hex;
use sha2::{Digest, Sha256};

use super::mapping::{Mapping, NotMapped};
use super::said::{NotSaid, Speaker};
use super::signature::{NotSigned, Signature};
use crate::pdp::{Action, Caller, Heard, Intake, NotHeard, Said};
use crate::ports::{Clock, SetFault};

/// Largest body, in bytes.
const BODY_BYTES: usize = 1024 * 1024;

/// A source that sends webhooks.
pub struct Webhook {
    /// Its name.
    pub name: String,
    /// Who may send for it.
    pub sender: Sender,
    /// What its JSON says.
    pub mapping: Mapping,
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
    intake: Arc<Intake>,
    clock: Arc<dyn Clock>,
    sources: BTreeMap<String, Webhook>,
}

/// What became of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The name of the event.
    pub id: Arc<str>,
    /// What it says.
    pub heard: Heard,
}

/// Why a webhook is not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
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
    /// The intake does not take it.
    #[error(transparent)]
    NotHeard(#[from] NotHeard),
}

impl Webhooks {
    /// These `sources`, whose statements go through `intake`, which knows them.
    pub(super) fn new(intake: Arc<Intake>, clock: Arc<dyn Clock>, sources: Vec<Webhook>) -> Self {
        let sources = sources.into_iter().map(|source| (source.name.clone(), source)).collect();
        Self { intake, clock, sources }
    }

    /// Takes `body`, which `caller` sent for `source` with headers that `header` finds by their names in lower case.
    ///
    /// # Errors
    /// If it is not taken. That is recorded within the budget of the source, if there is such a source.
    pub async fn take<'h>(
        &'h self,
        source: &str,
        caller: &Caller,
        header: impl Fn(&str) -> Option<&'h str>,
        body: &'h [u8],
    ) -> Result<Taken, NotTaken> {
        let source = self.sources.get(source).ok_or(NotTaken::Unvouched)?;
        self.intake.admit(&source.name)?;
        let refuse = async |fault: SetFault, why: &str| {
            self.intake.refuse(&source.name, fault.code(), why, Some(caller)).await;
        };
        let received = self.clock.now();
        let digest = match source.vouched(caller, header, body, received) {
            Ok(digest) => digest,
            Err(why) => {
                refuse(SetFault::AuthenticationFailed, &why).await;
                return Err(NotTaken::Unvouched);
            }
        };
        let said = match source.said(caller, digest, body, received) {
            Ok(said) => said,
            Err(refused) => {
                refuse(SetFault::InvalidRequest, &refused.to_string()).await;
                return Err(refused);
            }
        };
        let id = Arc::clone(&said.id);
        Ok(Taken { id, heard: self.intake.state(said).await? })
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

    /// What `body` says.
    fn said(
        &self,
        caller: &Caller,
        digest: String,
        body: &[u8],
        received: Timestamp,
    ) -> Result<Said, NotTaken> {
        if body.len() > BODY_BYTES {
            return Err(NotTaken::TooLarge);
        }
        let mapped = self.mapping.read(body, received)?;
        let id: Arc<str> = mapped.id.unwrap_or(digest).into();
        let speaker = Speaker { source: self.name.as_str().into(), id: Arc::clone(&id), received };
        let mut facts = Vec::new();
        for (number, said) in mapped.said.iter().enumerate() {
            facts.extend(said.facts(&format!("facts[{number}]."), &speaker)?);
        }
        let mut events: Vec<String> = mapped.said.into_iter().map(|said| said.name).collect();
        events.sort_unstable();
        events.dedup();
        let (source, via, caller) = (self.name.clone(), "webhook", Some(caller.clone()));
        Ok(Said { source, via, id, events, facts, caller })
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("name", &self.name).finish_non_exhaustive()
    }
}
