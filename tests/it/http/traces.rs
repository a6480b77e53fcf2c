//! The trace that a request belongs to stands in the record of its call.

use serde_json::json;

use super::{CHECK, EVALUATION, TestServer, good_check, good_evaluation};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test(flavor = "multi_thread")]
async fn a_well_formed_trace_is_recorded_and_anything_else_is_as_if_it_were_not_there() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let well_formed = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let long = "0".repeat(60_000);
    for (path, body) in [(CHECK, good_check()), (EVALUATION, good_evaluation())] {
        for (header, recorded) in
            [(well_formed.as_str(), json!(TRACE)), ("00-xyz-1-01", json!(null)), (&long, json!(null))]
        {
            let headers = [("content-type", "application/json"), ("traceparent", header)];
            let answer = connection.send("POST", path, &headers, body.to_string().as_bytes()).await.unwrap();
            assert_eq!(answer.status, 200, "{path} {header}");
            let call = answer.header("procura-call-id").unwrap();
            let found = connection.get(&format!("/api/decisions/{call}")).await.unwrap().json().unwrap();
            assert_eq!(found["record"]["call"]["traceId"], recorded, "{path} {header}");
        }
    }
}
