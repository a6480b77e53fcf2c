//! Which principals, sessions, devices and other things the identifiers of a source mean here.

use super::identifier::{Format, Identifier, Part, Simple};
use super::template::Template;
use crate::limits::{EVENT_SUBJECTS, SUBJECT_RULES};
use crate::model::{Entity, EntityKind, Subject};

/// A rule as an operator writes it: identifiers of `format` mean the thing named `id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectRule {
    /// The format of the identifiers.
    pub format: Format,
    /// Whose names are meant, for formats with an issuer; that of the source if it is left out.
    pub issuer: Option<String>,
    /// The member of a complex subject, or [`SubjectRule::SIMPLE`] for a simple one. If it is left out: the members that
    /// are of `kind` by their name (`user` a principal, `org_unit` and `group` a group, the others as they are called),
    /// and a simple subject if the event is about one of `kind`.
    pub member: Option<String>,
    /// What it is.
    pub kind: EntityKind,
    /// The kind of a resource or the issuer of a token, with placeholders as in `id`: a resource needs it, a token has
    /// `{iss}` if it is left out, others have none.
    pub of: Option<String>,
    /// Its name. `{member}` stands for a text of the identifier, see [`Format::required`] and [`Format::optional`]; the
    /// rule means only identifiers that have it.
    pub id: String,
}

impl SubjectRule {
    /// What stands for a simple subject in the place of a member.
    pub const SIMPLE: &'static str = "subject";
}

/// Why a rule is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct RuleFault {
    /// Its place in the list.
    pub index: usize,
    /// Its field at fault, by the name in the configuration.
    pub field: &'static str,
    /// What is wrong: lower-case, no final stop.
    pub reason: String,
}

/// The rules of one source. For each identifier the first that fits counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectRules(Vec<Rule>);

/// A checked rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    format: Format,
    issuer: Option<String>,
    member: Option<String>,
    /// `None`: whatever is expected.
    kind: Option<EntityKind>,
    of: Option<Template>,
    id: Template,
}

impl SubjectRules {
    /// The rules that an operator has written for the source whose own issuer is `issuer`.
    ///
    /// # Errors
    /// The first rule that could never count, or not in the way that was meant.
    pub fn new(rules: &[SubjectRule], issuer: &str) -> Result<Self, RuleFault> {
        if rules.len() > SUBJECT_RULES {
            let reason = format!("there are more than {SUBJECT_RULES} rules");
            return Err(RuleFault { index: SUBJECT_RULES, field: "format", reason });
        }
        let checked = |(index, rule): (usize, &SubjectRule)| {
            check(rule, issuer).map_err(|(field, reason)| RuleFault { index, field, reason })
        };
        rules.iter().enumerate().map(checked).collect::<Result<_, _>>().map(Self)
    }

    /// The rules of a source with issuer `issuer` for which none are written: its own subjects by `sub`, email addresses,
    /// opaque ids, URIs, DIDs and phone numbers as they stand, SCIM resources by `externalId` or else by the last
    /// segment of their path, and tokens by issuer and id. SAML assertions and IP addresses mean nothing.
    #[must_use]
    pub fn defaults(issuer: &str) -> Self {
        let rule = |format: Format, kind, of: Option<&str>, id: &str| {
            let has_issuer = format == Format::IssSub;
            Some(Rule {
                format,
                issuer: has_issuer.then(|| issuer.to_owned()),
                member: None,
                kind,
                of: of.and_then(|of| Template::parse(of, format).ok()),
                id: Template::parse(id, format).ok()?,
            })
        };
        let rules = [
            rule(Format::IssSub, None, None, "{sub}"),
            rule(Format::Email, None, None, "{email}"),
            rule(Format::Opaque, None, None, "{id}"),
            rule(Format::Account, None, None, "{uri}"),
            rule(Format::Uri, None, None, "{uri}"),
            rule(Format::Did, None, None, "{url}"),
            rule(Format::PhoneNumber, None, None, "{phone_number}"),
            rule(Format::Scim, None, None, "{externalId}"),
            rule(Format::Scim, None, None, "{segment}"),
            rule(Format::JwtId, Some(EntityKind::Token), Some("{iss}"), "{jti}"),
        ];
        Self(rules.into_iter().flatten().collect())
    }

    /// The subjects that `about` means, where an event is about something of kind `expected`: one, or one for each alias
    /// that some rule is about. `None` if it cannot be said of what facts would be: a part that no rule is about (to
    /// leave it out would make the subject a wider one), two parts of one kind, or more than [`EVENT_SUBJECTS`].
    #[must_use]
    pub fn subjects(&self, about: &Identifier, expected: Option<EntityKind>) -> Option<Vec<Subject>> {
        let mut combined: Vec<Vec<Entity<'static>>> = vec![Vec::new()];
        for part in about.parts() {
            let mut entities: Vec<_> =
                part.identifiers.iter().filter_map(|simple| self.entity(part, simple, expected)).collect();
            entities.sort_unstable();
            entities.dedup();
            if combined.len().saturating_mul(entities.len()) > EVENT_SUBJECTS {
                return None;
            }
            let with = |entity: &Entity<'static>, others: &Vec<Entity<'static>>| {
                others.iter().chain([entity]).cloned().collect::<Vec<_>>()
            };
            combined =
                entities.iter().flat_map(|one| combined.iter().map(move |all| with(one, all))).collect();
        }
        let subjects: Option<Vec<_>> = combined.into_iter().map(Subject::new).collect();
        subjects.filter(|subjects| !subjects.is_empty())
    }

    fn entity(&self, part: &Part, simple: &Simple, expected: Option<EntityKind>) -> Option<Entity<'static>> {
        let role = role(part, simple, expected);
        self.0.iter().find_map(|rule| rule.entity(part, simple, role))
    }
}

impl Rule {
    fn entity(&self, part: &Part, simple: &Simple, role: Option<EntityKind>) -> Option<Entity<'static>> {
        let is_member = match self.member.as_deref() {
            None => role.is_some() && (self.kind.is_none() || self.kind == role),
            Some(SubjectRule::SIMPLE) => part.member.is_none(),
            member => part.member.as_deref() == member,
        };
        let is_issuer = self.issuer.is_none() || self.issuer.as_deref() == simple.issuer();
        if self.format != simple.format() || !is_member || !is_issuer {
            return None;
        }
        let of = match &self.of {
            None => String::new(),
            Some(of) => of.fill(simple)?,
        };
        Some(Entity::within(self.kind.or(role)?, of, self.id.fill(simple)?))
    }
}

/// What kind of thing `simple` names, unless a rule says otherwise.
fn role(part: &Part, simple: &Simple, expected: Option<EntityKind>) -> Option<EntityKind> {
    match (part.member.as_deref(), simple.format()) {
        (_, Format::JwtId) => Some(EntityKind::Token),
        (Some("user"), _) => Some(EntityKind::Principal),
        (Some("org_unit"), _) => Some(EntityKind::Group),
        (Some(member), _) => [
            EntityKind::Session,
            EntityKind::Device,
            EntityKind::Application,
            EntityKind::Tenant,
            EntityKind::Group,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == member),
        (None, Format::Scim) => resource_type(simple.text("uri")?),
        // Whoever has a `sub` or an address is no device and no session: then it is about theirs.
        (None, Format::IssSub | Format::Email)
            if matches!(expected, Some(EntityKind::Device | EntityKind::Session)) =>
        {
            Some(EntityKind::Principal)
        }
        (None, _) => expected,
    }
}

/// What kind of thing a SCIM resource is, by the segment before its name (RFC 7644, section 3.2).
fn resource_type(uri: &str) -> Option<EntityKind> {
    match uri.rsplit('/').nth(1)? {
        "Users" => Some(EntityKind::Principal),
        "Groups" => Some(EntityKind::Group),
        _ => None,
    }
}

fn check(rule: &SubjectRule, issuer: &str) -> Result<Rule, (&'static str, String)> {
    let SubjectRule { format, kind, .. } = *rule;
    let has_issuer = format.required().iter().any(|text| matches!(*text, "iss" | "issuer"));
    if rule.issuer.is_some() && !has_issuer {
        return Err(("issuer", format!("identifiers of format `{}` have no issuer", format.as_str())));
    }
    if format == Format::IpAddresses {
        return Err(("format", "addresses name nothing that facts can be about".to_owned()));
    }
    if rule.member.is_none() && kind == EntityKind::Resource {
        return Err(("member", "no member is a resource by its name: say which one is meant".to_owned()));
    }
    for (field, text) in [("issuer", &rule.issuer), ("member", &rule.member)] {
        if text.as_deref().is_some_and(str::is_empty) {
            return Err((field, "must not be empty".to_owned()));
        }
    }
    let of = match (kind, rule.of.as_deref()) {
        (EntityKind::Token, None) if format.required().contains(&"iss") => Some("{iss}"),
        (EntityKind::Token, None) => return Err(("of", "a token needs its issuer".to_owned())),
        (EntityKind::Resource, None) => return Err(("of", "a resource needs its kind".to_owned())),
        (EntityKind::Token | EntityKind::Resource, of) => of,
        (_, Some(_)) => return Err(("of", "only resources and tokens have one".to_owned())),
        (_, None) => None,
    };
    Ok(Rule {
        format,
        issuer: has_issuer.then(|| rule.issuer.clone().unwrap_or_else(|| issuer.to_owned())),
        member: rule.member.clone(),
        kind: Some(kind),
        of: of.map(|of| Template::parse_or_fixed(of, format)).transpose().map_err(|why| ("of", why))?,
        id: Template::parse(&rule.id, format).map_err(|why| ("id", why))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://i/";

    /// The subjects as text: `principal=u&session=s`, aliases separated by a comma.
    fn subjects(rules: &SubjectRules, json: &str, expected: Option<EntityKind>) -> String {
        let about = Identifier::read(&serde_json::from_str(json).unwrap()).unwrap();
        let name = |entity: &Entity<'_>| match &*entity.of {
            "" => format!("{}={}", entity.kind.as_str(), entity.id),
            of => format!("{}={of}/{}", entity.kind.as_str(), entity.id),
        };
        let subject = |subject: &Subject| subject.entities().iter().map(name).collect::<Vec<_>>().join("&");
        match rules.subjects(&about, expected) {
            Some(subjects) => subjects.iter().map(subject).collect::<Vec<_>>().join(","),
            None => "unknown".to_owned(),
        }
    }

    #[test]
    fn without_rules_identifiers_mean_what_they_say() {
        use EntityKind::{Device, Principal, Session};

        let rules = SubjectRules::defaults(ISSUER);
        for (json, expected, means) in [
            (r#"{"format":"iss_sub","iss":"https://i/","sub":"u"}"#, Principal, "principal=u"),
            (r#"{"format":"iss_sub","iss":"https://other/","sub":"u"}"#, Principal, "unknown"),
            (r#"{"format":"email","email":"u@X.example"}"#, Principal, "principal=u@x.example"),
            (r#"{"format":"opaque","id":"d"}"#, Device, "device=d"),
            (r#"{"format":"opaque","id":"s"}"#, Session, "session=s"),
            (r#"{"format":"email","email":"u@x"}"#, Device, "principal=u@x"),
            (r#"{"format":"iss_sub","iss":"https://i/","sub":"u"}"#, Device, "principal=u"),
            (r#"{"format":"uri","uri":"spiffe://a.org/w"}"#, Principal, "principal=spiffe://a.org/w"),
            (r#"{"format":"account","uri":"acct:u@x"}"#, Principal, "principal=acct:u@x"),
            (r#"{"format":"did","url":"did:x:1"}"#, Principal, "principal=did:x:1"),
            (r#"{"format":"phone_number","phone_number":"+1"}"#, Principal, "principal=+1"),
            (r#"{"format":"scim","uri":"/Users/7"}"#, Principal, "principal=7"),
            (r#"{"format":"scim","uri":"/Users/7","externalId":"e"}"#, Principal, "principal=e"),
            (r#"{"format":"scim","uri":"/v2/Groups/7"}"#, Principal, "group=7"),
            (r#"{"format":"scim","uri":"/Things/7"}"#, Principal, "unknown"),
            (r#"{"format":"jwt_id","iss":"https://t/","jti":"j"}"#, Principal, "token=https://t//j"),
            (r#"{"format":"saml_assertion_id","issuer":"i","assertion_id":"a"}"#, Session, "unknown"),
            (r#"{"format":"ip-addresses","ip-addresses":["::1"]}"#, Device, "unknown"),
        ] {
            assert_eq!(subjects(&rules, json, Some(expected)), means, "{json} as {expected:?}");
        }
        assert_eq!(subjects(&rules, r#"{"format":"opaque","id":"1"}"#, None), "unknown");
    }

    #[test]
    fn all_parts_are_meant_together_and_one_that_means_nothing_spoils_the_subject() {
        let rules = SubjectRules::defaults(ISSUER);
        let id = |id: &str| format!(r#"{{"format":"opaque","id":"{id}"}}"#);
        let complex = |members: &[(&str, String)]| {
            let members: Vec<_> =
                members.iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
            format!(r#"{{"format":"complex",{}}}"#, members.join(","))
        };
        let all =
            ["user", "session", "device", "application", "tenant", "group"].map(|name| (name, id(name)));
        let aliases =
            format!(r#"{{"format":"aliases","identifiers":[{},{},{}]}}"#, id("a"), id("b"), id("a"));
        let stranger = r#"{"format":"iss_sub","iss":"https://other/","sub":"u"}"#;
        let half = format!(r#"{{"format":"aliases","identifiers":[{stranger},{}]}}"#, id("a"));
        for (json, means) in [
            (
                complex(&all),
                "principal=user&session=session&device=device&group=group&application=application&tenant=tenant",
            ),
            (complex(&[("org_unit", id("o"))]), "group=o"),
            (complex(&[("org_unit", id("o")), ("group", id("g"))]), "unknown"),
            (complex(&[("user", id("u")), ("building", id("b"))]), "unknown"),
            (complex(&[("user", stranger.to_owned()), ("session", id("s"))]), "unknown"),
            (aliases.clone(), "principal=a,principal=b"),
            (
                complex(&[("session", id("s")), ("user", aliases)]),
                "principal=a&session=s,principal=b&session=s",
            ),
            (half, "principal=a"),
        ] {
            assert_eq!(subjects(&rules, &json, Some(EntityKind::Principal)), means, "{json}");
        }
        let letters = "abcdefghi".split_terminator("").skip(1).map(id).collect::<Vec<_>>().join(",");
        let nine = format!(r#"{{"format":"aliases","identifiers":[{letters}]}}"#);
        let many = complex(&[("user", nine.clone()), ("session", nine)]);
        assert_eq!(subjects(&rules, &many, None), "unknown", "81 combinations");
    }

    fn rule(format: Format, member: Option<&str>, kind: EntityKind, id: &str) -> SubjectRule {
        let member = member.map(str::to_owned);
        SubjectRule { format, issuer: None, member, kind, of: None, id: id.to_owned() }
    }

    #[test]
    fn first_rule_that_fits_counts_and_where_rules_are_written_there_are_no_others() {
        use EntityKind::{Principal, Resource, Session};

        let rules = [
            SubjectRule {
                issuer: Some("https://b/".to_owned()),
                ..rule(Format::IssSub, None, Principal, "b:{sub}")
            },
            rule(Format::IssSub, None, Principal, "user:{sub}"),
            rule(Format::Scim, Some("user"), Principal, "{externalId}"),
            rule(Format::Opaque, Some("session"), Session, "{id}"),
            SubjectRule {
                of: Some("ticket".to_owned()),
                ..rule(Format::Uri, Some(SubjectRule::SIMPLE), Resource, "{uri}")
            },
        ];
        let rules = SubjectRules::new(&rules, ISSUER).unwrap();
        for (json, means) in [
            (r#"{"format":"iss_sub","iss":"https://i/","sub":"u"}"#, "principal=user:u"),
            (r#"{"format":"iss_sub","iss":"https://b/","sub":"u"}"#, "principal=b:u"),
            (r#"{"format":"iss_sub","iss":"https://c/","sub":"u"}"#, "unknown"),
            (r#"{"format":"opaque","id":"u"}"#, "unknown"),
            (r#"{"format":"complex","session":{"format":"opaque","id":"s"}}"#, "session=s"),
            (r#"{"format":"complex","user":{"format":"scim","uri":"/Users/1"}}"#, "unknown"),
            (r#"{"format":"uri","uri":"urn:t:1"}"#, "resource=ticket/urn:t:1"),
        ] {
            assert_eq!(subjects(&rules, json, Some(Principal)), means, "{json}");
        }
    }

    #[test]
    fn rule_that_could_never_count_is_refused() {
        use EntityKind::{Principal, Resource, Token};

        let email = |id: &str| rule(Format::Email, None, Principal, id);
        for (rule, field, why) in [
            (email("{sub}"), "id", "`{sub}` is none of `{email}`"),
            (email("user"), "id", "name at least one of `{email}`"),
            (email("{email"), "id", "`{` has no `}`"),
            (email("email}"), "id", "`}` has no `{`"),
            (
                rule(Format::IssSub, None, Principal, "{iss}{sub}"),
                "id",
                "two placeholders need a text between them",
            ),
            (
                SubjectRule { issuer: Some("i".into()), ..email("{email}") },
                "issuer",
                "identifiers of format `email` have no issuer",
            ),
            (
                SubjectRule { of: Some("x".into()), ..email("{email}") },
                "of",
                "only resources and tokens have one",
            ),
            (rule(Format::Opaque, Some("token"), Token, "{id}"), "of", "a token needs its issuer"),
            (rule(Format::Opaque, Some("user"), Resource, "{id}"), "of", "a resource needs its kind"),
            (
                rule(Format::Opaque, None, Resource, "{id}"),
                "member",
                "no member is a resource by its name: say which one is meant",
            ),
            (
                rule(Format::IpAddresses, None, Principal, "{id}"),
                "format",
                "addresses name nothing that facts can be about",
            ),
        ] {
            let fault = SubjectRules::new(&[email("{email}"), rule], ISSUER).unwrap_err();
            assert_eq!((fault.index, fault.field, &*fault.reason), (1, field, why));
        }
    }
}
