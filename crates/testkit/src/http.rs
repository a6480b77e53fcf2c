//! A small HTTP/1.1 client over one keep-alive connection: enough to drive the server in tests and trials.
//! It reads answers with a content length or in chunks, and never retries.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, bail};
use procura::ports::Duplex;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};

use crate::certificates::TlsClient;

/// One connection to a server, encrypted or not.
pub struct Connection {
    stream: BufReader<Box<dyn Duplex>>,
    host: String,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("host", &self.host).finish_non_exhaustive()
    }
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Connection {
    /// Connects to `address`.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(Self::over(Box::new(stream), address))
    }

    /// Connects to `address` as `client` does.
    pub async fn open_tls(address: SocketAddr, client: &TlsClient) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let stream = client.shake(stream).await.context("cannot shake hands")?;
        Ok(Self::over(Box::new(stream), address))
    }

    /// Connects to `address` from `source`, an address of this machine.
    pub async fn open_from(source: IpAddr, address: SocketAddr) -> anyhow::Result<Self> {
        let socket = if source.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(SocketAddr::new(source, 0)).context("cannot use the address")?;
        let stream = socket.connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(Self::over(Box::new(stream), address))
    }

    fn over(stream: Box<dyn Duplex>, address: SocketAddr) -> Self {
        Self { stream: BufReader::new(stream), host: address.to_string() }
    }

    /// Sends a GET request and reads the answer.
    pub async fn get(&mut self, path: &str) -> anyhow::Result<Response> {
        self.send("GET", path, &[], b"").await
    }

    /// Sends a POST request with a JSON body and reads the answer.
    pub async fn post_json(&mut self, path: &str, body: &[u8]) -> anyhow::Result<Response> {
        self.send("POST", path, &[("content-type", "application/json")], body).await
    }

    /// Sends any request and reads the answer.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> anyhow::Result<Response> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.host);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        self.send_raw(&bytes).await?;
        self.read_response().await
    }

    /// Sends bytes as they are.
    pub async fn send_raw(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.stream.get_mut().write_all(bytes).await.context("cannot send")
    }

    /// Reads one answer.
    pub async fn read_response(&mut self) -> anyhow::Result<Response> {
        let status_line = self.read_line().await?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let Some(status) = status else { bail!("malformed status line `{status_line}`") };
        let mut headers = Vec::new();
        loop {
            let line = self.read_line().await?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response { status, headers, body: Vec::new() };
        if response.header("transfer-encoding") == Some("chunked") {
            response.body = self.read_chunks().await?;
            return Ok(response);
        }
        let length = response.header("content-length").map_or(Ok(0), str::parse)?;
        response.body = self.read_bytes(length).await?;
        Ok(response)
    }

    async fn read_chunks(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.read_line().await?;
            let size = usize::from_str_radix(&size, 16).context("malformed chunk")?;
            body.extend(self.read_bytes(size).await?);
            self.read_line().await?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    async fn read_bytes(&mut self, count: usize) -> anyhow::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).await.context("the answer ends early")?;
        Ok(bytes)
    }

    async fn read_line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).await.context("cannot read the answer")?;
        if read == 0 {
            bail!("the server closed the connection");
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Response {
    /// The first header called `name` (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("the body is not JSON: {}", String::from_utf8_lossy(&self.body)))
    }
}
