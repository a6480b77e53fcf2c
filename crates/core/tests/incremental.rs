//! A compiler that remembers the last set comes to the same as one that remembers nothing.
#![cfg(test)]

use procura_core::policy::{Compiled, Compiler, SourceFile, compile};
use proptest::prelude::*;

/// Each path with the texts that it may hold, besides being absent. Most combinations are sets without errors.
const FILES: &[(&str, &[&str])] = &[
    ("a.yaml", &[ALBUM, ALBUM_PLAIN, ALBUM_IDLE, "resourcePolicy: {}"]),
    ("acme/a.yaml", &[ALBUM_ACME, ALBUM_ACME_WITH_SCHEMA]),
    ("b.yaml", &[DOC, DOC_DISABLED, DOC_TYPO]),
    ("constants.yaml", &[CONSTANTS, CONSTANTS_TRUE, CONSTANTS_FEW]),
    ("moved/b.yaml", &[DOC, PRINCIPAL]),
    ("principal.yaml", &[PRINCIPAL]),
    ("role.yaml", &[ROLE, ROLE_IDLE]),
    ("roles.yaml", &[ROLES, ROLES_OTHER, ROLES_PATTERN]),
    ("shared.yaml", &[SHARED, SHARED_CONSTANT, "exportVariables: {"]),
    ("system.yaml", &[SYSTEM, SYSTEM_MORE]),
    ("system2.yaml", &[SYSTEM2]),
    ("_schemas/album.json", &["{\"type\": \"object\"}", "{\"type\": \"objekt\"}", "{\"pattern\": \"^a+$\"}"]),
    ("a_test.yaml", &["name: T", "name: U"]),
    ("testdata/principals.yaml", &["principals: {}"]),
];

const ALBUM: &str = "
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  schemas: {resourceSchema: {ref: 'cerbos:///album.json'}}
  importDerivedRoles: [roles]
  variables: {import: [shared], local: {own: R.attr.owner == P.id, idle: '1'}}
  constants: {import: [limits]}
  rules:
    - {actions: [view], roles: [user], effect: EFFECT_ALLOW, condition: {match: {expr: 'V.own && C.open'}}}
    - {actions: [edit], derivedRoles: [owner], effect: EFFECT_ALLOW, condition: {match: {expr: V.late}}}
    - {actions: [edit], roles: [user], effect: EFFECT_DENY, condition: {match: {expr: \"P.id.matches('^a+$')\"}}}
";
const ALBUM_PLAIN: &str = "
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  rules:
    - {actions: [view, '*'], roles: [user], effect: EFFECT_ALLOW}
    - {actions: [view], roles: [user], effect: EFFECT_ALLOW, name: shadowed}
";
const ALBUM_IDLE: &str = "
apiVersion: api.cerbos.dev/v1
variables: {old: '1 == 1'}
resourcePolicy:
  resource: album
  version: default
  importDerivedRoles: [roles]
  rules: [{actions: [view], roles: ['us*'], effect: EFFECT_ALLOW, condition: {match: {expr: V.old}}}]
";
const ALBUM_ACME: &str = "
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  scope: acme
  importDerivedRoles: [roles]
  rules: [{actions: [share], derivedRoles: [friend], effect: EFFECT_ALLOW}]
";
const ALBUM_ACME_WITH_SCHEMA: &str = "
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  scope: acme
  schemas: {principalSchema: {ref: 'cerbos:///missing.json'}}
  rules: [{actions: [share], roles: [user], effect: EFFECT_ALLOW}]
";
const DOC: &str = "
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: doc
  version: default
  variables: {import: [shared]}
  constants: {import: [limits]}
  rules: [{actions: [view], roles: [user], effect: EFFECT_ALLOW, condition: {match: {expr: V.late || C.open}}}]
";
const DOC_DISABLED: &str = "
apiVersion: api.cerbos.dev/v1
disabled: true
resourcePolicy: {resource: doc, version: default, importDerivedRoles: [roles, none], rules: []}
";
const DOC_TYPO: &str = "
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: doc
  version: default
  rules: [{actions: [view], roles: [user], effect: EFFECT_ALLOW, condition: {match: {expr: V.lat}}}]
";
const CONSTANTS: &str = "
apiVersion: api.cerbos.dev/v1
exportConstants: {name: limits, definitions: {open: false, most: 3}}
";
const CONSTANTS_TRUE: &str = "
apiVersion: api.cerbos.dev/v1
exportConstants: {name: limits, definitions: {open: true, most: 3}}
";
const CONSTANTS_FEW: &str = "
apiVersion: api.cerbos.dev/v1
exportConstants: {name: limits, definitions: {open: false}}
";
const PRINCIPAL: &str = "
apiVersion: api.cerbos.dev/v1
principalPolicy:
  principal: daffy
  version: default
  rules: [{resource: album, actions: [{action: view, effect: EFFECT_DENY}, {action: burn, effect: EFFECT_DENY}]}]
";
const ROLE: &str = "
apiVersion: api.cerbos.dev/v1
rolePolicy:
  role: user
  rules: [{resource: 'alb*', allowActions: [view, edit]}]
";
const ROLE_IDLE: &str = "
apiVersion: api.cerbos.dev/v1
rolePolicy: {role: user, rules: []}
";
const ROLES: &str = "
apiVersion: api.cerbos.dev/v1
derivedRoles:
  name: roles
  variables: {import: [shared]}
  definitions:
    - {name: owner, parentRoles: [user], condition: {match: {expr: V.late}}}
    - {name: friend, parentRoles: [user], condition: {match: {expr: 'true'}}}
";
const ROLES_OTHER: &str = "
apiVersion: api.cerbos.dev/v1
derivedRoles:
  name: roles
  definitions:
    - {name: friend, parentRoles: [user]}
    - {name: owner, parentRoles: ['*'], condition: {match: {expr: R.attr.owner == P.id}}}
    - {name: nobody, parentRoles: [user]}
";
const ROLES_PATTERN: &str = "
apiVersion: api.cerbos.dev/v1
derivedRoles:
  name: roles
  definitions:
    - {name: owner, parentRoles: ['us*']}
    - {name: friend, parentRoles: [user], condition: {match: {expr: \"P.id.matches('^b+$')\"}}}
";
const SHARED: &str = "
apiVersion: api.cerbos.dev/v1
exportVariables: {name: shared, definitions: {late: R.attr.hour > 20, never: 1 > 2}}
";
const SHARED_CONSTANT: &str = "
apiVersion: api.cerbos.dev/v1
exportVariables: {name: shared, definitions: {late: '1 > 2'}}
";
const SYSTEM: &str = "
apiVersion: procura.dev/v1
capabilities:
  system: albums
  entries: [{resource: album, actions: [view, edit, print], owner: it, risk: low}]
";
const SYSTEM_MORE: &str = "
apiVersion: procura.dev/v1
capabilities:
  system: albums
  entries: [{resource: album, actions: [view, edit, share, burn], owner: it, risk: high}]
";
const SYSTEM2: &str = "
apiVersion: procura.dev/v1
capabilities:
  system: docs
  entries: [{resource: doc, actions: [view], owner: it, risk: low}]
";

/// Which text each path holds; what lies beyond its texts is absent.
type Set = Vec<usize>;

fn files(set: &Set) -> Vec<SourceFile> {
    let present =
        FILES.iter().zip(set).filter_map(|((path, texts), choice)| Some((path, texts.get(*choice)?)));
    present.map(|(path, text)| SourceFile { path: (*path).into(), text: (*text).into() }).collect()
}

/// A set that compiles, to begin with.
fn sound() -> Set {
    FILES
        .iter()
        .map(|_| 0)
        .enumerate()
        .map(|(n, text)| if FILES[n].0 == "moved/b.yaml" { 9 } else { text })
        .collect()
}

fn same(remembering: &Compiled, anew: &Compiled) -> Result<(), TestCaseError> {
    prop_assert_eq!(&remembering.diagnostics, &anew.diagnostics);
    prop_assert_eq!(format!("{:#?}", remembering.snapshot), format!("{:#?}", anew.snapshot));
    Ok(())
}

#[test]
fn the_set_to_begin_with_compiles() {
    let compiled = compile(&files(&sound()));
    assert!(compiled.snapshot.is_some(), "{:#?}", compiled.diagnostics);
}

#[test]
fn every_single_edit_and_its_undoing_come_to_the_same_as_compiling_anew() {
    let mut compiler = Compiler::default();
    let sound = sound();
    assert!(compiler.compile_changes(&files(&sound)).is_none(), "nothing is remembered yet");
    let mut told_early = 0;
    for (n, (_, texts)) in FILES.iter().enumerate() {
        for choice in 0..=texts.len() {
            let mut set = sound.clone();
            set[n] = choice;
            for set in [&set, &sound] {
                let (early, anew) = (compiler.compile_changes(&files(set)), compile(&files(set)));
                assert!(early.is_none() || anew.snapshot.is_some(), "{:#?}", anew.diagnostics);
                early.iter().for_each(|early| same(early, &anew).unwrap());
                told_early += early.iter().count();
                same(&compiler.compile(&files(set)), &anew).unwrap();
            }
        }
    }
    assert!(told_early > FILES.len(), "{told_early}");
}

#[test]
fn unchanged_policies_are_shared_between_sets() {
    let mut compiler = Compiler::default();
    let mut set = sound();
    let before = compiler.compile(&files(&set)).snapshot.unwrap();
    // What imports `limits`, and nothing else.
    set[3] = 1;
    let after = compiler.compile(&files(&set)).snapshot.unwrap();
    let is_shared = |name: &str| {
        let find = |snapshot: &procura_core::policy::Snapshot| {
            snapshot.policies().find(|policy| &*policy.name == name).map(std::ptr::from_ref).unwrap()
        };
        find(&before) == find(&after)
    };
    assert!(!is_shared("resource.album.vdefault") && !is_shared("resource.doc.vdefault"));
    assert!(is_shared("resource.album.vdefault/acme") && is_shared("principal.daffy.vdefault"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 150, ..ProptestConfig::default() })]

    /// Each step changes a few files; a set with errors may lie between two without.
    #[test]
    fn compiling_with_a_memory_comes_to_the_same_as_without(
        steps in prop::collection::vec(prop::collection::vec((0..FILES.len(), 0_usize..4), 1..4), 1..14),
        shuffle in any::<bool>(),
    ) {
        let mut compiler = Compiler::default();
        let mut set = sound();
        let first = compiler.compile(&files(&set));
        same(&first, &compile(&files(&set)))?;
        for step in steps {
            for (file, choice) in step {
                set[file] = choice;
            }
            let mut files = files(&set);
            if shuffle {
                files.reverse();
            }
            same(&compiler.compile(&files), &compile(&files))?;
        }
    }
}
