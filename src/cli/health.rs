//! `procura health`: asks a running server whether it is ready. For containers, which have no other client.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::credential::Credential;
use super::exit::Exit;
use super::options::Options;
use super::print;
use crate::pdp::CheckState;

/// How long the server may take for each step of its answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Most bytes read of an answer; the readiness page is far smaller.
const MOST: u64 = 64 * 1024;

/// Ask a running server whether it is ready: exit code 0 if it is, 1 if not
///
/// With a credential that may see metrics, it also tells what somebody should look at.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    credential: Credential,
}

/// Asks the server at the configured address for `/readyz`.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let listen = args.options.load()?.server.listen;
    let address = local(&listen)?;
    let credential = args.credential.head()?;
    let answer = ask(address, &credential).with_context(|| format!("no server answers at {address}"))?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    if status != "200" {
        bail!("the server at {address} is not ready (status `{status}`): {body}");
    }
    print(&format!("ready: http://{address}\n{}", degraded(body)))?;
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
fn local(listen: &str) -> anyhow::Result<SocketAddr> {
    let resolved = listen.to_socket_addrs().with_context(|| format!("`{listen}` is not an address"))?.next();
    let mut address = resolved.with_context(|| format!("`{listen}` is not an address"))?;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(std::net::Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(std::net::Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    Ok(address)
}

fn ask(address: SocketAddr, credential: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
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
