//! Requests.

use super::conditions::value;
use super::names::{ACTIONS, Names, VERSIONS};
use crate::expr::Value;
use crate::model::{Ask, Item};
use crate::rng::Rng;

/// A request to the set of these names.
pub(super) fn ask(names: &Names, rng: &mut Rng) -> Ask {
    let mut roles = names.roles.clone();
    if !names.narrows {
        // Where there are role policies, to the peer this is not the name of a role.
        roles.push("*".to_owned());
    }
    let count = 1 + rng.below(3);
    Ask {
        principal: principal(names, rng),
        roles: rng.some(&roles, 1, 3),
        attr: attributes(&["y0", "y1"], rng),
        version: version(rng),
        scope: scope(names, rng),
        items: (0..count).map(|number| item(names, number, rng)).collect(),
        tenants: None,
    }
}

fn item(names: &Names, number: usize, rng: &mut Rng) -> Item {
    let kind = if rng.chance(95) { rng.pick(&names.kinds).clone() } else { format!("{}k9", names.prefix) };
    let actions = if rng.chance(30) { rng.some(ACTIONS, 1, 1) } else { rng.some(ACTIONS, 2, 5) };
    Item {
        actions: actions.into_iter().map(str::to_owned).collect(),
        kind,
        id: format!("i{number}"),
        attr: attributes(&["x0", "x1", "x2", "x3"], rng),
        version: version(rng),
        scope: scope(names, rng),
    }
}

fn principal(names: &Names, rng: &mut Rng) -> String {
    if rng.chance(85) { rng.pick(&names.principals).clone() } else { format!("{}nobody", names.prefix) }
}

fn version(rng: &mut Rng) -> String {
    match rng.below(20) {
        0..=9 => String::new(),
        10..=17 => (*rng.pick(VERSIONS)).to_owned(),
        18 => "default".to_owned(),
        _ => "v9".to_owned(),
    }
}

fn scope(names: &Names, rng: &mut Rng) -> String {
    match rng.below(20) {
        0..=4 => String::new(),
        5 => ".".to_owned(),
        6..=17 => rng.pick(&names.scopes).clone(),
        18 => format!("{}.z", names.scopes[1]),
        _ => format!("{}.z", names.scopes[3]),
    }
}

fn attributes(names: &[&str], rng: &mut Rng) -> Vec<(String, Value)> {
    let mut there = Vec::new();
    for name in names {
        if rng.chance(70) {
            there.push(((*name).to_owned(), value(rng)));
        }
    }
    there
}
