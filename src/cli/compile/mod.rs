//! `procura compile`: flags, exit codes and output of `cerbos compile`, so that scripts keep running.

mod context;
mod peer;
mod show;

use std::path::PathBuf;

use clap::ValueEnum;

use self::peer::Errors;
use super::exit::Exit;
use super::{policies, print, print_error};

const EXAMPLES: &str = "\
Examples:
  procura compile policies
  procura compile --skip-tests -o json policies
  procura compile --test-filter='suite=Leave*;action=approve' policies

Flags, exit codes and JSON are those of `cerbos compile`; `procura check` and `procura test` say more.

Exit codes: 0 ok, 3 errors in policies, 4 failing tests, 2 wrong usage, 1 the directory cannot be read.";

/// Compile and test policies in the way of `cerbos compile`
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Directory of the policies
    directory: PathBuf,
    /// How to show what is found
    #[arg(short, long, value_enum, default_value_t = Format::Tree)]
    output: Format,
    /// Do not run the tests
    #[arg(long)]
    skip_tests: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Tree,
    /// For people, without lines
    List,
    /// One JSON object
    Json,
}

/// Compiles the directory, runs the tests in it, and shows what was found.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let files = policies::read(&args.directory)?;
    let compiled = policies::compile_files(files.clone())?;
    if let Some(errors) = peer::errors(&files, &compiled, policies::compile_files)? {
        show_errors(&errors, args.output)?;
        print_error("error: failed to compile\n");
        return Ok(Exit::Policy);
    }
    Ok(Exit::Ok)
}

fn show_errors(errors: &Errors, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => print(&format!("{}\n", serde_json::to_string_pretty(errors)?))?,
        Format::Tree | Format::List => print(&show::text(errors))?,
    }
    Ok(())
}
