//! `procura config`: each setting, its value, and where the value comes from.

use super::exit::Exit;
use super::options::Options;
use super::{print, print_error};

/// Show each setting and where its value comes from
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    options: Options,
}

/// Prints the table, then what the author of the configuration should know.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let config = args.options.load()?;
    let mut rows = vec![["KEY".to_owned(), "VALUE".to_owned(), "ORIGIN".to_owned()]];
    for setting in &config.settings {
        rows.push([setting.key.to_owned(), setting.shown().into_owned(), setting.origin.to_string()]);
    }
    print(&table(&rows))?;
    for notice in &config.notices {
        print_error(&format!("notice: {notice}\n"));
    }
    Ok(Exit::Ok)
}

fn table(rows: &[[String; 3]]) -> String {
    let width =
        |column: fn(&[String; 3]) -> &String| rows.iter().map(|row| column(row).chars().count()).max();
    let keys = width(|[key, _, _]| key).unwrap_or_default();
    let values = width(|[_, value, _]| value).unwrap_or_default();
    rows.iter().map(|[key, value, origin]| format!("{key:keys$}  {value:values$}  {origin}\n")).collect()
}
