//! Trials of what keeps facts: made-up events, the plain reading of what they come to, and what is done to files and
//! processes meanwhile.

pub mod command;
pub mod disk;
pub mod held;
pub mod kill;
pub mod made_up;
pub mod oracle;
