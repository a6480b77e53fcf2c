//! `procura health`: asks a running server whether it is ready. For containers, which have no other client.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::credential::Credential;
use super::exit::Exit;
use super::options::Options;
use super::print;
use crate::pdp::CheckState;
use crate::tls::{ProbeIdentity, probe};

/// How long the server may take for each step of its answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Most bytes read of an answer; the readiness page is far smaller.
const MOST: u64 = 64 * 1024;

const TLS: &str = "\
The server is asked at its configured address on this machine, with TLS if `server.tls.cert` is configured. Its
certificate is not verified: it need not be one for an address of this machine.";

/// Ask a running server whether it is ready: exit code 0 if it is, 1 if not
///
/// With a credential that may see metrics, it also tells what somebody should look at.
#[derive(Debug, clap::Args)]
#[command(after_help = TLS)]
pub(super) struct Args {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    credential: Credential,
    /// Certificate to show to a server that demands one, in PEM
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
}

/// Asks the server at the configured address for `/readyz`.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let server = args.options.load()?.server;
    let (address, scheme) = (local(&server.listen)?, if server.tls.is_some() { "https" } else { "http" });
    let credential = args.credential.authorization()?;
    let credential = credential.map(|shown| format!("Authorization: {shown}\r\n")).unwrap_or_default();
    let answer = if server.tls.is_some() {
        ask_encrypted(address, args, &credential)
    } else {
        connect(address).and_then(|stream| ask(stream, address, &credential))
    };
    let answer = answer.with_context(|| format!("no server answers at {address}"))?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    if status != "200" {
        bail!("the server at {address} is not ready (status `{status}`): {body}");
    }
    print(&format!("ready: {scheme}://{address}\n{}", degraded(body)))?;
    Ok(Exit::Ok)
}

/// A line for each check of the readiness page that somebody should look at; a page that is not understood has none.
fn degraded(body: &str) -> String {
    let Ok(Page { checks }) = serde_json::from_str(body) else { return String::new() };
    let degraded = checks.iter().filter(|check| check.state == CheckState::Degraded.as_str());
    degraded.map(|check| format!("degraded: {}: {}\n", check.name, check.detail)).collect()
}

/// What matters here of `/readyz`.
#[derive(Deserialize)]
struct Page {
    checks: Vec<CheckEntry>,
}

#[derive(Deserialize)]
struct CheckEntry {
    name: String,
    state: String,
    detail: String,
}

/// The address to ask: a server on all interfaces is asked over loopback.
pub(super) fn local(listen: &str) -> anyhow::Result<SocketAddr> {
    let resolved = listen.to_socket_addrs().with_context(|| format!("`{listen}` is not an address"))?.next();
    let mut address = resolved.with_context(|| format!("`{listen}` is not an address"))?;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(std::net::Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(std::net::Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    Ok(address)
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn ask_encrypted(address: SocketAddr, args: &Args, credential: &str) -> io::Result<String> {
    let shown = args.client_cert.clone().zip(args.client_key.clone());
    let shown = shown.map(|(certificate, key)| ProbeIdentity { certificate, key });
    ask(probe(connect(address)?, shown.as_ref())?, address, credential)
}

fn ask(mut stream: impl Read + Write, address: SocketAddr, credential: &str) -> io::Result<String> {
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\n{credential}Connection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MOST).read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_interfaces_are_asked_over_loopback() {
        for (listen, want) in
            [("0.0.0.0:3592", "127.0.0.1:3592"), ("[::]:80", "[::1]:80"), ("127.0.0.2:1", "127.0.0.2:1")]
        {
            assert_eq!(local(listen).unwrap().to_string(), want);
        }
        assert!(local("no such host:1").is_err());
    }
}
