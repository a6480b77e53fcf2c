//! The command line: one file per subcommand, each ending in an exit code of `exit.rs`.

mod ask;
mod audit;
mod check;
mod clock;
mod compare;
mod compile;
mod config;
mod credential;
mod decide;
mod exit;
mod explain;
mod explanation;
mod health;
mod key;
mod live;
mod options;
mod policies;
mod quarantine;
mod replay;
mod report;
mod serve;
mod server;
mod signals;
mod test;
mod tokens;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::ConfigError;
use exit::Exit;

const EXAMPLES: &str = "\
Examples:
  procura serve                          decide from `policies/` on http://127.0.0.1:3592
  procura serve --set storage.disk.directory=/etc/procura/policies
  procura check policies                 find every mistake before it goes live
  procura test policies                  run the tests beside the policies
  procura decide policies request.json   answer one request without a server
  procura explain policies request.json  why it is answered so, and what would change it
  procura audit list --principal alice   who was decided on, and why
  procura replay --against candidate     what another policy set would change
  procura key create --name shop --roles decide --file keys.yaml
                                         let a caller show who it is
  procura config --config procura.yaml   show each setting and where it comes from

Exit codes: 0 ok, 1 failure, 2 wrong usage or configuration, 3 problems in policies, 4 failing policy tests,
5 decisions that change.";

/// A policy decision point: applications ask who may do what, policies in YAML say so, and every decision is recorded.
#[derive(Debug, Parser)]
#[command(name = "procura", version, after_help = EXAMPLES)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(alias = "server")]
    Serve(serve::Args),
    Check(check::Args),
    Test(test::Args),
    Compile(compile::Args),
    Decide(decide::Args),
    Explain(explain::Args),
    Audit(audit::Args),
    Replay(replay::Args),
    Quarantine(quarantine::Args),
    Signals(live::Args),
    Config(config::Args),
    Key(key::Args),
    #[command(alias = "healthcheck")]
    Health(health::Args),
}

/// Runs the command line of this process and says how it went.
#[must_use]
pub fn run() -> ExitCode {
    let as_the_peer = env::args_os().nth(1).is_some_and(|word| word == "compile");
    let parsed = match as_the_peer {
        true => CommandLine::try_parse_from(compile::plain(env::args_os())),
        false => CommandLine::try_parse(),
    };
    let command = match parsed {
        Ok(CommandLine { command }) => command,
        Err(error) => {
            // Help and version come as errors too, with a code of their own. A closed pipe changes nothing.
            let _ = error.print();
            let usage = if as_the_peer { Exit::PeerUsage } else { Exit::Usage };
            return if error.use_stderr() { usage } else { Exit::Ok }.into();
        }
    };
    let result = match &command {
        Command::Serve(args) => serve::run(args),
        Command::Check(args) => check::run(args),
        Command::Test(args) => test::run(args),
        Command::Compile(args) => compile::run(args),
        Command::Decide(args) => decide::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Audit(args) => audit::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Quarantine(args) => quarantine::run(args),
        Command::Signals(args) => live::run(args),
        Command::Config(args) => config::run(args),
        Command::Key(args) => key::run(args),
        Command::Health(args) => health::run(args),
    };
    result.unwrap_or_else(|error| report(&error)).into()
}

/// Writes to standard output. A reader that has gone away wants no more of it, which is no failure.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes to standard error; where that is closed there is nobody left to tell.
fn print_error(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn report(error: &anyhow::Error) -> Exit {
    if let Some(ConfigError { problems }) = error.downcast_ref() {
        print_error(&format!("error: the configuration is not valid\n  {}\n", problems.join("\n  ")));
        return Exit::Usage;
    }
    print_error(&format!("error: {error:#}\n"));
    Exit::Failure
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::fs;
    use std::path::Path;

    use clap::CommandFactory;

    use super::*;

    const PAGE: &str = "docs/reference/cli.md";

    /// The reference page: the help of every subcommand.
    fn page() -> String {
        let mut page = String::from(
            "# Command line\n\n\
             Written from the program's own help: `UPDATE=1 cargo test cli` renews it.\n\n\
             | exit code | meaning |\n|---|---|\n\
             | 0 | done |\n\
             | 1 | something failed; the message says what |\n\
             | 2 | the command line or the configuration is wrong; nothing was done |\n\
             | 3 | the policies have errors |\n\
             | 4 | tests of the policies fail |\n\
             | 5 | recorded decisions would change |\n\
             | 80 | as 2, from `procura compile`, which has the exit codes of the peer |\n",
        );
        let mut command = CommandLine::command().bin_name("procura");
        command.build();
        append(&mut page, &mut command);
        page
    }

    fn append(page: &mut String, command: &mut clap::Command) {
        for command in command.get_subcommands_mut().filter(|command| command.get_name() != "help") {
            let help = command.render_long_help().to_string();
            let help: Vec<&str> = help.lines().map(str::trim_end).collect();
            let name = command.get_bin_name().unwrap().to_owned();
            writeln!(page, "\n## {name}\n\n```text\n{}\n```", help.join("\n")).unwrap();
            append(page, command);
        }
    }

    #[test]
    fn command_line_page_is_current() {
        CommandLine::command().debug_assert();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
        if env::var_os("UPDATE").is_some() {
            fs::write(&path, page()).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(written, page(), "{PAGE} is stale: run with UPDATE=1");
    }
}
