//! The exit codes of every subcommand. Scripts rely on them: they never change their meaning.

use std::process::ExitCode;

/// How a command ended; 3, 4 and 80 are the peer's.
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
    /// 4: tests of the policies fail.
    Tests,
    /// 5: recorded decisions would change.
    Changed,
    /// 80: as 2, for the command that stands in for one of the peer's.
    PeerUsage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Ok => ExitCode::SUCCESS,
            Exit::Failure => ExitCode::from(1),
            Exit::Usage => ExitCode::from(2),
            Exit::Policy => ExitCode::from(3),
            Exit::Tests => ExitCode::from(4),
            Exit::Changed => ExitCode::from(5),
            Exit::PeerUsage => ExitCode::from(80),
        }
    }
}
