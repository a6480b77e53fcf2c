//! The exit codes of every subcommand. Scripts rely on them: they never change their meaning.

use std::process::ExitCode;

/// How a command ended. Code 4 is kept for failing policy tests, as the peer has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// 0: it did what was asked.
    Ok,
    /// 1: something failed; the message says what.
    Failure,
    /// 2: the command line or the configuration is wrong; nothing was done.
    Usage,
    /// 3: the policies have errors.
    Policy,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Ok => ExitCode::SUCCESS,
            Exit::Failure => ExitCode::from(1),
            Exit::Usage => ExitCode::from(2),
            Exit::Policy => ExitCode::from(3),
        }
    }
}
