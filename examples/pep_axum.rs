//! A small document service that asks Procura before each action: a policy enforcement point in axum.
//!
//! ```text
//! cargo run --release -- serve                         # the PDP, with the shipped policies
//! cargo run --example pep_axum                         # this service, on http://127.0.0.1:8080
//! curl -H 'x-user: olga' 127.0.0.1:8080/documents/D-1  # 200
//! curl -H 'x-user: eve'  127.0.0.1:8080/documents/D-1  # 403
//! ```
//! `PDP_URL` and `LISTEN` change the addresses.
//! Nothing is allowed when the PDP cannot be reached: the service then answers 503.

use std::env;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// The answer to a check is small; anything larger is not from a PDP.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let pdp = env::var("PDP_URL").unwrap_or_else(|_| "http://127.0.0.1:3592".to_owned());
    let listen = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let gate = Arc::new(Gate { pdp, http: Client::builder(TokioExecutor::new()).build_http() });
    let app =
        Router::new().route("/documents/{id}", get(read_document).delete(delete_document)).with_state(gate);
    let listener = tokio::net::TcpListener::bind(&listen).await?;
    tracing_subscriber::fmt().with_writer(std::io::stderr).log_internal_errors(false).init();
    tracing::info!("documents on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

async fn read_document(
    State(gate): State<Arc<Gate>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    let document = find(&id).ok_or(StatusCode::NOT_FOUND)?;
    gate.ask(&headers, &id, &document, "document:read").await?;
    Ok(Json(document))
}

async fn delete_document(
    State(gate): State<Arc<Gate>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, StatusCode> {
    let document = find(&id).ok_or(StatusCode::NOT_FOUND)?;
    gate.ask(&headers, &id, &document, "document:delete").await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The enforcement point: turns an action into a question, and anything but a clear yes into an error.
struct Gate {
    pdp: String,
    http: Client<HttpConnector, Full<Bytes>>,
}

impl Gate {
    async fn ask(&self, headers: &HeaderMap, id: &str, attr: &Value, action: &str) -> Result<(), StatusCode> {
        let principal = principal(headers).ok_or(StatusCode::UNAUTHORIZED)?;
        let question = json!({
            "principal": principal,
            "resources": [{"actions": [action], "resource": {"kind": "document", "id": id, "attr": attr}}],
        });
        match self.post(&question).await {
            Ok(answer) if effect(&answer, action) == Some("EFFECT_ALLOW") => Ok(()),
            Ok(_) => Err(StatusCode::FORBIDDEN),
            Err(error) => {
                tracing::error!(%error, "no decision");
                Err(StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }

    async fn post(&self, question: &Value) -> anyhow::Result<Value> {
        let request = Request::post(format!("{}/api/check/resources", self.pdp))
            .header("content-type", "application/json")
            .body(Full::from(serde_json::to_vec(question)?))?;
        let response = self.http.request(request).await?;
        anyhow::ensure!(response.status().is_success(), "the PDP answered {}", response.status());
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
        Ok(serde_json::from_slice(&body)?)
    }
}

fn effect<'a>(answer: &'a Value, action: &str) -> Option<&'a str> {
    answer.pointer("/results/0/actions")?.get(action)?.as_str()
}

/// Who asks. A real service takes this from a verified session, never from a bare header.
fn principal(headers: &HeaderMap) -> Option<Value> {
    let user = headers.get("x-user")?.to_str().ok()?;
    let attr = match user {
        "olga" => json!({"tenants": ["acme"], "adminOf": [], "groups": ["design"]}),
        "amir" => json!({"tenants": ["acme"], "adminOf": ["acme"], "groups": []}),
        _ => json!({"tenants": ["globex"], "adminOf": [], "groups": []}),
    };
    Some(json!({"id": user, "roles": ["user"], "attr": attr}))
}

fn find(id: &str) -> Option<Value> {
    match id {
        "D-1" => Some(json!({"tenant": "acme", "owner": "olga", "visibility": "private"})),
        "D-4" => Some(json!({"tenant": "acme", "owner": "olga", "visibility": "private", "legalHold": true})),
        _ => None,
    }
}
