//! The shape of each answer.

use serde_json::json;

use super::{CHECK, TestServer, good_check};

#[tokio::test]
async fn decision_names_its_record_and_its_policies_in_headers() {
    let server = TestServer::start().await;
    let response = server
        .connect()
        .await
        .post_json(CHECK, good_check().to_string().as_bytes())
        .await
        .unwrap();
    assert_eq!(response.status, 200);
    let body = response.json().unwrap();
    let call_id = response.header("procura-call-id").unwrap();
    assert_eq!(body["cerbosCallId"], call_id);
    assert_eq!(call_id.as_bytes()[14], b'7', "{call_id} is not a UUIDv7");
    assert_eq!(response.header("procura-policy-revision").unwrap().len(), 64);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(body["requestId"], json!("r-1"));
}
