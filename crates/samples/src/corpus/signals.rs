//! The facts of a case, and what it presents.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use procura_core::model::{Entity, EntityKind, Fact, Presented, Subject, Timestamp};
use procura_core::value::Value;
use serde::Deserialize;

use super::map_of;

/// A fact in force.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseSignal {
    /// What is said.
    #[serde(rename = "type")]
    pub name: String,
    /// What it takes the place of; its type if absent.
    pub slot: Option<String>,
    /// Ids by kind; a resource is `kind/id`, a token `issuer/id`.
    pub about: BTreeMap<String, String>,
    /// Who said so.
    pub source: String,
    /// How many seconds before 1970 it became true, the instant of the case.
    pub age: i64,
    /// Its content.
    #[serde(default)]
    pub data: serde_json::Map<String, serde_json::Value>,
}

/// What is presented.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CasePresented {
    /// The session.
    pub session: Option<String>,
    /// How many seconds before 1970 it began.
    pub began: Option<i64>,
    /// How the principal showed who it is.
    pub methods: Option<Vec<String>>,
}

impl CaseSignal {
    pub(super) fn fact(&self) -> Arc<Fact> {
        let entity = |(kind, id): (&String, &String)| {
            let kind = EntityKind::ALL.into_iter().find(|known| known.as_str() == kind).unwrap();
            let entity = match (kind, id.rsplit_once('/')) {
                (EntityKind::Resource | EntityKind::Token, Some((of, id))) => Entity::within(kind, of, id),
                _ => Entity::new(kind, id.as_str()),
            };
            entity.into_owned()
        };
        let at = Timestamp::from_second(-self.age).unwrap();
        Arc::new(Fact {
            subject: Subject::new(self.about.iter().map(entity).collect()).unwrap(),
            name: self.name.as_str().into(),
            slot: self.slot.as_ref().unwrap_or(&self.name).as_str().into(),
            value: Some(Value::Map(map_of(&self.data))),
            source: self.source.as_str().into(),
            id: "e".into(),
            at,
            received: at,
            expires: None,
            rank: 0,
        })
    }
}

impl CasePresented {
    pub(super) fn presented(&self) -> Presented<'static> {
        let methods = self.methods.as_ref();
        Presented {
            session: self.session.clone().map(Cow::Owned),
            device: None,
            began: self.began.map(|ago| Timestamp::from_second(-ago).unwrap()),
            methods: methods.map(|methods| methods.iter().cloned().map(Cow::Owned).collect()),
        }
    }
}
