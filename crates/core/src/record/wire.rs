//! How instants and effects are written in records.

/// An instant as RFC 3339 text in UTC, down to the nanosecond.
pub(super) mod instant {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    use crate::model::Timestamp;

    pub(in crate::record) fn serialize<S: Serializer>(
        at: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(at)
    }

    pub(in crate::record) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// An instant that may be absent, likewise.
pub(super) mod maybe_instant {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    use crate::model::Timestamp;

    pub(in crate::record) fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serializer.collect_str(at),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::record) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text: Option<String> = Deserialize::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// An effect under the name that policy files use.
pub(super) mod effect {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    use crate::model::Effect;

    pub(in crate::record) fn serialize<S: Serializer>(
        effect: &Effect,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(effect.wire_name())
    }

    pub(in crate::record) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Effect, D::Error> {
        let name = String::deserialize(deserializer)?;
        [Effect::Allow, Effect::Deny]
            .into_iter()
            .find(|effect| effect.wire_name() == name)
            .ok_or_else(|| D::Error::custom(format_args!("unknown effect `{name}`")))
    }
}

/// A member that is present, even as `null`, is `Some`: an output may well be `null`.
pub(super) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
