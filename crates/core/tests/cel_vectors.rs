//! Plays the conformance vectors of the CEL specification against our compiler and evaluator.
//!
//! The vectors are not part of this repository: `CEL_VECTORS` names their folder, default
//! `../shared/conformance/cel` beside it. Where they are missing the test says so and passes.
#![cfg(test)]
#![allow(clippy::disallowed_methods, reason = "the vectors are files, and a setting says where")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use procura_core::expr::{
    Bindings, Budget, Declarations, Instant, MapVal, Program, Scope, Str, Type, Typing, Val, compile_with,
};
use procura_core::limits;
use procura_core::model::Timestamp;
use serde::Deserialize;

/// Files that are left out as a whole.
const FILES_LEFT_OUT: &[(&str, &str)] = &[
    ("block_ext", "`cel.block` is what optimisers write, not authors"),
    ("dynamic", "protobuf messages"),
    ("enums", "protobuf enumerations"),
    ("proto2", "protobuf messages"),
    ("proto2_ext", "protobuf messages"),
    ("proto3", "protobuf messages"),
    ("wrappers", "protobuf messages"),
];

/// Cases that are left out.
const CASES_LEFT_OUT: &[(&str, &str)] = &[(
    "timestamps/duration_converters/get_milliseconds",
    "the peer answers the whole duration in milliseconds, and policies rely on it",
)];

#[derive(Deserialize)]
struct Case {
    id: String,
    expr: String,
    #[serde(default)]
    disable_check: bool,
    #[serde(default)]
    check_only: bool,
    #[serde(default)]
    container: String,
    #[serde(default)]
    type_env: Vec<Declared>,
    #[serde(default)]
    bindings: BTreeMap<String, serde_json::Value>,
    expect: serde_json::Value,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct Declared {
    kind: String,
    name: String,
    #[serde(rename = "type", default)]
    ty: String,
}

#[test]
fn conformance_vectors_pass() {
    let folder = std::env::var_os("CEL_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/cel"),
        PathBuf::from,
    );
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: no vectors at {}", folder.display());
        return;
    };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let (mut passed, mut failed) = (0, Vec::new());
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if let Some((_, reason)) = FILES_LEFT_OUT.iter().find(|(file, _)| *file == name) {
            println!("{name}: left out, {reason}");
            continue;
        }
        let cases: Vec<Case> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for case in cases.iter().filter(|case| is_played(case)) {
            match play(case) {
                Ok(()) => passed += 1,
                Err(problem) => failed.push(format!("{}: {} -> {problem}", case.id, case.expr)),
            }
        }
    }
    println!("{passed} passed, {} failed", failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn is_played(case: &Case) -> bool {
    let protobuf = case.tags.iter().any(|tag| tag == "proto");
    let functions = case.type_env.iter().any(|declared| declared.kind == "function");
    !protobuf && !functions && !CASES_LEFT_OUT.iter().any(|(id, _)| *id == case.id)
}

fn play(case: &Case) -> Result<(), String> {
    let expects_error = case.expect.get("error").is_some() || case.expect.get("error_any").is_some();
    let variables: Vec<(&str, Type)> = case.type_env.iter().map(|d| (&*d.name, parse_type(&d.ty))).collect();
    let typing = if case.disable_check { Typing::Dynamic } else { Typing::Static };
    let declarations = Declarations { container: &case.container, variables: &variables, typing };
    let program = match compile_with(&case.expr, &declarations) {
        Ok(program) => program,
        Err(_) if expects_error => return Ok(()),
        Err(findings) => return Err(format!("{findings:?}")),
    };
    check_type(case, &program)?;
    if case.check_only || case.expect.get("value").is_none() && !expects_error {
        return Ok(());
    }
    let values: Vec<_> = variables
        .iter()
        .map(|(name, _)| case.bindings.get(*name).and_then(|b| b.get("value")).map(parse_value))
        .collect();
    let budget = Budget::new(limits::CALL_COST, limits::EXPR_COST);
    let scope = Scope::of_bindings(Bindings { values: &values, now: Timestamp::UNIX_EPOCH }, &budget);
    match (program.eval(&scope), case.expect.get("value")) {
        (Ok(found), Some(expected)) if same(&found, &parse_value(expected)) => Ok(()),
        (Ok(found), expected) => Err(format!("{found:?}, expected {expected:?}")),
        (Err(_), None) => Ok(()),
        (Err(error), Some(_)) => Err(format!("{error:?}")),
    }
}

fn check_type(case: &Case, program: &Program) -> Result<(), String> {
    let Some(expected) = case.expect.get("deduced_type") else {
        return Ok(());
    };
    let found = program.result_type().to_string();
    if expected == &found { Ok(()) } else { Err(format!("type {found}, expected {expected}")) }
}

/// Equality of values of one type; NaN equals itself.
fn same(a: &Val<'_>, b: &Val<'_>) -> bool {
    match (a, b) {
        (Val::Null, Val::Null) => true,
        (Val::Bool(a), Val::Bool(b)) => a == b,
        (Val::Int(a), Val::Int(b)) => a == b,
        (Val::Uint(a), Val::Uint(b)) => a == b,
        (Val::Double(a), Val::Double(b)) => a == b || a.is_nan() && b.is_nan(),
        (Val::String(a), Val::String(b)) => a.as_str() == b.as_str(),
        (Val::Bytes(a), Val::Bytes(b)) => a == b,
        (Val::Timestamp(a), Val::Timestamp(b)) => a == b,
        (Val::Duration(a), Val::Duration(b)) => a == b,
        (Val::Type(a), Val::Type(b)) => a == b,
        (Val::List(a), Val::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(&a, &b))
        }
        (Val::Map(MapVal::Owned(a)), Val::Map(MapVal::Owned(b))) => {
            let contains = |k: &Val<'_>, v: &Val<'_>| b.iter().any(|(l, w)| same(k, l) && same(v, w));
            a.len() == b.len() && a.iter().all(|(k, v)| contains(k, v))
        }
        _ => false,
    }
}

fn parse_value(json: &serde_json::Value) -> Val<'static> {
    let (kind, value) = json.as_object().unwrap().iter().next().unwrap();
    let text = || value.as_str().unwrap();
    match kind.as_str() {
        "null" => Val::Null,
        "bool" => Val::Bool(value.as_bool().unwrap()),
        "int" => Val::Int(text().parse().unwrap()),
        "uint" => Val::Uint(text().parse().unwrap()),
        "double" => Val::Double(text().parse().unwrap()),
        "string" => Val::String(Str::Owned(text().into())),
        "bytes" => Val::Bytes(STANDARD.decode(text()).unwrap().into()),
        "type" => Val::Type(text().to_owned().leak()),
        "list" => Val::list(value.as_array().unwrap().iter().map(parse_value).collect()),
        "map" => {
            let entries = value.as_array().unwrap().iter();
            Val::Map(MapVal::Owned(entries.map(|e| (parse_value(&e[0]), parse_value(&e[1]))).collect()))
        }
        "timestamp" => {
            let (seconds, nanos) = seconds_and_nanos(value);
            Val::Timestamp(Instant::new(seconds, nanos).unwrap())
        }
        "duration" => {
            let (seconds, nanos) = seconds_and_nanos(value);
            Val::Duration(SignedDuration::new(seconds, nanos))
        }
        other => panic!("unknown kind of value: {other}"),
    }
}

fn seconds_and_nanos(value: &serde_json::Value) -> (i64, i32) {
    let seconds = value["seconds"].as_str().unwrap_or("0").parse().unwrap();
    (seconds, value["nanos"].as_i64().unwrap_or(0).try_into().unwrap())
}

fn parse_type(text: &str) -> Type {
    let inner = |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(')'));
    if let Some(item) = inner("list(") {
        return Type::List(parse_type(item).into());
    }
    if let Some((key, value)) = inner("map(").and_then(|inner| inner.split_once(", ")) {
        return Type::Map(parse_type(key).into(), parse_type(value).into());
    }
    match text {
        "null" => Type::Null,
        "bool" => Type::Bool,
        "int" => Type::Int,
        "uint" => Type::Uint,
        "double" => Type::Double,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "timestamp" => Type::Timestamp,
        "duration" => Type::Duration,
        "dyn" => Type::Dyn,
        other => panic!("unknown type: {other}"),
    }
}
