//! What a subcommand shows a server that it asks: a token or an API key, from a file, since arguments and environments of
//! processes are for many to read.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Names the file if no flag does.
const VARIABLE: &str = "PROCURA_TOKEN_FILE";

/// A credential for a server.
#[derive(Debug, clap::Args)]
pub(super) struct Credential {
    /// File with a token or an API key to show to the server [default: the file that PROCURA_TOKEN_FILE names, if any]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Credential {
    /// The value of `Authorization` that shows it; `None` if there is no credential.
    pub(super) fn authorization(&self) -> anyhow::Result<Option<String>> {
        let file = self.token_file.clone().or_else(|| env::var_os(VARIABLE).map(PathBuf::from));
        file.map(|file| authorization(&file)).transpose()
    }
}

fn authorization(file: &Path) -> anyhow::Result<String> {
    let shown = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("cannot read the token file `{shown}`"))?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("the token file `{shown}` must hold one token or API key, and nothing else");
    }
    Ok(format!("Bearer {token}"))
}

#[cfg(test)]
mod tests {
    use procura_testkit::temp_dir::TempDir;

    use super::*;

    #[test]
    fn file_must_hold_one_token_and_cannot_add_lines_to_the_head() {
        let top = TempDir::new("credential");
        let file = top.path().join("token");
        for (text, expected) in [
            ("procura_a_b\n", Some("Bearer procura_a_b")),
            ("", None),
            ("a b", None),
            ("a\r\nX-Evil: 1", None),
            ("\u{e9}", None),
        ] {
            fs::write(&file, text).unwrap();
            assert_eq!(authorization(&file).ok().as_deref(), expected, "{text:?}");
        }
        assert!(authorization(&top.path().join("missing")).is_err());
    }
}
