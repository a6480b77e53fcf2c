//! Who issues tokens: two products as they are, each a process of its own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use procura_interop::http::ask;
use procura_interop::{TempDir, eventually};
use serde_json::{Value, json};

use super::AUDIENCE;

/// A token and what it says.
pub struct Token {
    pub text: String,
    pub claims: Value,
}

/// Issues tokens for our audience.
pub trait Issuer {
    /// Its `iss`.
    fn name(&self) -> String;
    /// Where its keys are, and of which type its tokens are.
    fn key_set(&self) -> Value;
    /// A new token of somebody, whom it knows by this name.
    fn sign_in(&self, who: &str) -> Token;
}

/// `authgent-server`: agents that act for others by token exchange (RFC 8693).
pub struct Authgent {
    _process: Process,
    _home: TempDir,
    address: SocketAddr,
    agents: RefCell<BTreeMap<String, Value>>,
}

impl Authgent {
    /// Starts it; `None`, with a message, where it cannot be installed.
    pub fn start() -> Option<Self> {
        static INSTALLED: OnceLock<Option<PathBuf>> = OnceLock::new();
        let dir = INSTALLED.get_or_init(install_authgent).as_ref()?;
        let home = TempDir::new();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = Command::new(dir.join("venv/bin/authgent-server"))
            .args(["run", "--host", "127.0.0.1", "--port", &address.port().to_string()])
            .env("AUTHGENT_SERVER_URL", format!("http://{address}"))
            .current_dir(home.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let issuer = Self { _process: Process(process), _home: home, address, agents: RefCell::default() };
        eventually("authgent-server answers", || ask(address, "GET", "/health", &[], b"").is_ok());
        Some(issuer)
    }

    /// The agent of this name with its credentials; a new one if there is none.
    fn agent(&self, name: &str) -> Value {
        let made = || {
            let agent = json!({"name": name, "owner": "ops", "allowed_scopes": ["payroll"]}).to_string();
            let json = [("content-type", "application/json")];
            let mut made = Value::Null;
            // It answers 500 now and then while it has just begun.
            eventually("the agent is made", || {
                let answer = ask(self.address, "POST", "/agents", &json, agent.as_bytes()).unwrap();
                made = answer.json();
                answer.status() == 201
            });
            made
        };
        self.agents.borrow_mut().entry(name.to_owned()).or_insert_with(made).clone()
    }

    fn token(&self, agent: &Value, form: &[(&str, &str)]) -> String {
        let secret = [("client_id", &agent["client_id"]), ("client_secret", &agent["client_secret"])];
        let secret = secret.map(|(name, value)| (name, value.as_str().unwrap()));
        access_token(self.address, &[&secret[..], form].concat())
    }
}

impl Issuer for Authgent {
    fn name(&self) -> String {
        format!("http://{}", self.address)
    }

    fn key_set(&self) -> Value {
        let url = format!("{}/.well-known/jwks.json", self.name());
        json!({"remote": {"url": url}, "types": ["JWT"], "algorithms": ["ES256"]})
    }

    /// A helper acts for them.
    fn sign_in(&self, who: &str) -> Token {
        let who = self.agent(who);
        let grant = [("grant_type", "client_credentials"), ("scope", "payroll"), ("resource", AUDIENCE)];
        let theirs = self.token(&who, &grant);
        let exchange = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", &theirs),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("audience", AUDIENCE),
            ("scope", "payroll"),
        ];
        let token = Token::read(self.token(&self.agent("helper"), &exchange));
        assert!(token.claims["act"]["sub"].is_string(), "{}", token.claims);
        token
    }
}

/// `oidc-provider`: people who sign in.
pub struct OidcProvider {
    _process: Process,
    address: SocketAddr,
}

impl OidcProvider {
    /// Starts it; `None`, with a message, where it cannot be installed.
    pub fn start() -> Option<Self> {
        static INSTALLED: OnceLock<Option<PathBuf>> = OnceLock::new();
        let dir = INSTALLED.get_or_init(install_oidc_provider).as_ref()?;
        let mut process = Command::new("node")
            .args(["provider.mjs", AUDIENCE])
            .current_dir(dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let process = Process(process);
        let address = line.trim().strip_prefix("http://").expect("its issuer").parse().unwrap();
        Some(Self { _process: process, address })
    }
}

impl Issuer for OidcProvider {
    fn name(&self) -> String {
        format!("http://{}", self.address)
    }

    fn key_set(&self) -> Value {
        json!({"remote": {"url": format!("{}/jwks", self.name())}, "profile": "access-token"})
    }

    fn sign_in(&self, who: &str) -> Token {
        let client = [("client_id", "desk"), ("client_secret", "of the desk")];
        let grant = [("grant_type", "urn:example:sign-in"), ("account", who)];
        Token::read(access_token(self.address, &[client, grant].concat()))
    }
}

impl Token {
    fn read(text: String) -> Self {
        let claims = text.split('.').nth(1).expect("claims");
        let claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        Self { text, claims }
    }
}

/// A process that is killed when this is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn access_token(address: SocketAddr, form: &[(&str, &str)]) -> String {
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let answer = ask(address, "POST", "/token", &kind, form.as_bytes()).unwrap();
    answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("no token: {}", answer.text())).to_owned()
}

fn install_authgent() -> Option<PathBuf> {
    let dir = workspace("authgent", "requirements.txt", "python3")?;
    let pip = ["-m", "pip", "install", "-q", "--retries=1", "--timeout=20", "-r", "requirements.txt"];
    let ready = installed(&dir, Command::new("python3").args(["-m", "venv", "venv"]))
        && installed(&dir, Command::new(dir.join("venv/bin/python")).args(pip));
    ready.then_some(dir)
}

fn install_oidc_provider() -> Option<PathBuf> {
    let dir = workspace("oidc-provider", "package.json", "npm")?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("issuers/provider.mjs");
    fs::copy(source, dir.join("provider.mjs")).unwrap();
    let flags = ["--no-audit", "--no-fund", "--silent", "--fetch-retries=1", "--fetch-timeout=20000"];
    installed(&dir, Command::new("npm").arg("install").args(flags)).then_some(dir)
}

/// A folder under the build directory with `file` of `issuers` in it; `None`, with a message, without `tool`.
fn workspace(name: &str, file: &str, tool: &str) -> Option<PathBuf> {
    let runs = Command::new(tool).arg("--version").output();
    if !runs.is_ok_and(|out| out.status.success()) {
        println!("skipped: `{tool}` is not installed");
        return None;
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&dir).unwrap();
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("issuers").join(file), dir.join(file)).unwrap();
    Some(dir)
}

/// Whether the issuer could be installed. Without a registry the test is skipped with a message; the gate, which sets `CI`,
/// fails instead.
fn installed(dir: &Path, command: &mut Command) -> bool {
    let out = command.current_dir(dir).output().unwrap();
    let message = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success() || std::env::var_os("CI").is_none(), "{command:?}\n{message}");
    if !out.status.success() {
        println!("skipped: the issuer cannot be installed here: {message}");
    }
    out.status.success()
}
