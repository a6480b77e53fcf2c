//! How exporters reach the collector: through the client of all our requests, on the runtime of the server.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use http_body_util::Full;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;

use crate::outgoing::{Answer, Client, SendError, Trust};

/// Most bytes of an answer; there is nothing in it but what was rejected.
const ANSWER_BYTES: usize = 64 * 1024;

/// How long a request may take: what the specification says if nothing else is configured.
const DEADLINE: Duration = Duration::from_secs(10);

/// Sends from whatever thread.
#[derive(Clone)]
pub(super) struct OtlpClient {
    client: Client,
    runtime: Handle,
}

impl OtlpClient {
    pub(super) fn new(runtime: Handle) -> io::Result<Self> {
        Ok(Self { client: Client::new(&Trust::System)?, runtime })
    }

    /// The answer to `request`, of which no span is made: it would have to be sent, too.
    pub(super) async fn send(&self, request: Request<Bytes>) -> Result<Answer, SendError> {
        self.client.send_untraced(request.map(Full::new), DEADLINE, ANSWER_BYTES).await
    }
}

impl HttpClient for OtlpClient {
    fn send_bytes<'c, 'f>(
        &'c self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        'c: 'f,
        Self: 'f,
    {
        let client = self.clone();
        let sent = self.runtime.spawn(async move { client.send(request).await });
        Box::pin(async {
            let answer = sent.await??;
            let mut response = Response::new(answer.body);
            (*response.status_mut(), *response.headers_mut()) = (answer.status, answer.headers);
            Ok(response)
        })
    }
}

impl fmt::Debug for OtlpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpClient").finish_non_exhaustive()
    }
}
