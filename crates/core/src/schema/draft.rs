//! The versions of JSON Schema.

/// A version of JSON Schema, in order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    /// draft-04
    D4,
    /// draft-06
    D6,
    /// draft-07
    D7,
    /// 2019-09
    D2019,
    /// 2020-12, which applies where a file names none.
    D2020,
}

impl Draft {
    /// The version that `$schema` names.
    pub(super) fn named(schema: &str) -> Option<Self> {
        let schema = schema.strip_suffix('#').unwrap_or(schema);
        let name = schema.strip_prefix("http://").or_else(|| schema.strip_prefix("https://"))?;
        match name {
            "json-schema.org/draft-04/schema" => Some(Draft::D4),
            "json-schema.org/draft-06/schema" => Some(Draft::D6),
            "json-schema.org/draft-07/schema" => Some(Draft::D7),
            "json-schema.org/draft/2019-09/schema" => Some(Draft::D2019),
            "json-schema.org/draft/2020-12/schema" | "json-schema.org/schema" => Some(Draft::D2020),
            _ => None,
        }
    }

    /// The keyword that names a schema.
    pub(super) const fn id_keyword(self) -> &'static str {
        match self {
            Draft::D4 => "id",
            _ => "$id",
        }
    }

    /// Whether everything beside a `$ref` is ignored.
    pub(super) fn ref_stands_alone(self) -> bool {
        self < Draft::D2019
    }
}
