//! References that lead back to themselves without going deeper into the value: validating would never end.

use super::node::{Node, NodeId};
use crate::limits::SCHEMA_CHAIN;

/// What is wrong with `nodes`, the first of which is at `url`: a loop, or a chain that is too long.
pub(super) fn find(nodes: &[Node], url: &str) -> Option<String> {
    let mut states = vec![State::New; nodes.len()];
    for start in 0..nodes.len() {
        if states.get(start) != Some(&State::New) {
            continue;
        }
        set(&mut states, start, State::Open);
        let mut path = vec![Step::to(nodes, NodeId(start), String::new())];
        while let Some(step) = path.last_mut() {
            let Some((keyword, NodeId(next))) = step.left.pop() else {
                let longest = step.longest;
                set(&mut states, step.node, State::Done(longest));
                path.pop();
                if let Some(outer) = path.last_mut() {
                    outer.longest = outer.longest.max(longest + 1);
                }
                continue;
            };
            let so_far = path.len();
            match states.get(next).copied().unwrap_or(State::New) {
                State::Open => return Some(format!("infinite loop {url}{}/{keyword}", keywords(&path))),
                State::Done(longest) if so_far + longest > SCHEMA_CHAIN => return Some(too_long()),
                State::Done(longest) => {
                    if let Some(step) = path.last_mut() {
                        step.longest = step.longest.max(longest + 1);
                    }
                }
                State::New if so_far >= SCHEMA_CHAIN => return Some(too_long()),
                State::New => {
                    set(&mut states, next, State::Open);
                    path.push(Step::to(nodes, NodeId(next), keyword));
                }
            }
        }
    }
    None
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    /// On the path to where we are.
    Open,
    /// No loop below; how long the longest chain below is.
    Done(usize),
}

struct Step {
    node: usize,
    keyword: String,
    left: Vec<(String, NodeId)>,
    longest: usize,
}

impl Step {
    fn to(nodes: &[Node], NodeId(node): NodeId, keyword: String) -> Self {
        let mut left = match nodes.get(node) {
            Some(Node::Keywords(keywords)) => keywords.same_value(),
            _ => Vec::new(),
        };
        left.reverse();
        Self { node, keyword, left, longest: 0 }
    }
}

fn set(states: &mut [State], node: usize, state: State) {
    if let Some(known) = states.get_mut(node) {
        *known = state;
    }
}

fn keywords(path: &[Step]) -> String {
    path.iter().skip(1).map(|step| format!("/{}", step.keyword)).collect()
}

fn too_long() -> String {
    format!("more than {SCHEMA_CHAIN} schemas refer to one another in a row for one value")
}
