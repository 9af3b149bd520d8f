//! Health, status and metrics.

use serde_json::json;

use super::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_peers_is_healthy_and_not_ready_and_says_why() {
    let stage = Stage::new().await;
    let health = stage.get("/healthz").await;
    assert_eq!((health.status(), health.json()), (200, json!({ "status": "ok" })));

    let ready = stage.get("/readyz").await;
    assert_eq!(ready.status(), 503);
    let body = ready.json();
    assert_eq!(body["ready"], false);
    assert_eq!(body["reasons"][0]["code"], "no_peers");
    let witnesses = &body["reasons"][1];
    assert_eq!(
        (&witnesses["code"], &witnesses["topic"]),
        (&json!("too_few_witnesses"), &json!("vouched"))
    );
    assert_eq!((&witnesses["have"], &witnesses["need"]), (&json!(0), &json!(2)));
    assert_eq!(
        body["reasons"].as_array().unwrap().len(),
        2,
        "topics without a threshold are no reason: {body}"
    );
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_asks_for_more_witnesses_than_there_are_is_a_reason() {
    let stage = Stage::new().await;
    let friend = stage.friend().await;
    let reasons = async || stage.get("/readyz").await.json()["reasons"].as_array().unwrap().len();
    assert_eq!(reasons().await, 1, "of `vouched` alone");
    let receipt = stage.post("/v1/topics/vouched/messages", "x").await.json();
    assert_eq!(receipt["witnesses_lacking"], 2, "{receipt}");
    let lines = stage.subscribe_by("open", "?policy=2/3").await;
    assert_eq!(reasons().await, 2);
    let topics = stage.get("/v1/topics").await.json();
    let open = topics.as_array().unwrap().iter().find(|topic| topic["name"] == "open").unwrap();
    assert_eq!((&open["acceptable"], &open["witnesses_needed"]), (&json!(false), &json!(2)));
    drop((lines, friend));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_enough_witnesses_is_ready() {
    let (one, two) = (Stage::new().await, Stage::new().await);
    let peers = [one.node.addresses(), two.node.addresses()].concat();
    let stage =
        Stage::with(forsooth::http::Limits::default(), |builder| builder.peers(peers)).await;
    stage.node.ready(2).await.unwrap();
    let ready = stage.get("/readyz").await;
    assert_eq!((ready.status(), ready.json()), (200, json!({ "ready": true, "reasons": [] })));

    let peers = stage.get("/v1/peers").await.json();
    let mut ids: Vec<_> =
        peers.as_array().unwrap().iter().map(|peer| peer["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    let mut expected = [one.node.id().to_string(), two.node.id().to_string()];
    expected.sort_unstable();
    assert_eq!(ids, expected);
    for peer in peers.as_array().unwrap() {
        assert_eq!((&peer["role"], &peer["score"]), (&json!("witness"), &json!(0.0)));
        assert!(peer["address"].as_str().unwrap().starts_with("/ip4/127.0.0.1/"), "{peer}");
        assert!(peer["received"]["control"]["frames"].as_u64().unwrap() >= 1, "a hello: {peer}");
    }
    for stage in [stage, one, two] {
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_and_its_topics_are_shown_as_they_are() {
    let stage = Stage::new().await;
    let (node, network) = (stage.get("/v1/node").await.json(), stage.node.network());
    assert_eq!(node["id"], stage.node.id().to_string());
    assert_eq!(node["network"]["protocol"], network.protocol_name());
    assert_eq!(node["network"]["digest"], network.digest().to_string());
    assert_eq!(node["listen"][0], stage.node.addresses()[0].to_string());
    assert!(!node["bounds"].as_array().unwrap().is_empty());
    assert_eq!((&node["external"], &node["overlay"]["samples"]), (&json!([]), &json!(0)));
    assert!(node["overlay"]["record"].is_u64(), "on a local network any address will do: {node}");

    let topics = stage.get("/v1/topics").await.json();
    let named =
        |name: &str| topics.as_array().unwrap().iter().find(|topic| topic["name"] == name).unwrap();
    assert_eq!(topics.as_array().unwrap().len(), 6);
    assert_eq!(named("a/b")["policy"], "verified");
    assert_eq!(named("vouched")["policy"], json!({ "vouched": { "k": 2, "n": 3 } }));
    assert_eq!(
        (&named("small")["payload_bytes_max"], &named("brief")["lifetime_s_max"]),
        (&json!(10), &json!(2))
    );
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_prometheus_text() {
    let stage = Stage::new().await;
    let metrics = stage.get("/metrics").await;
    assert_eq!(metrics.status(), 200);
    assert!(metrics.head.contains("content-type: text/plain; version=0.0.4"), "{}", metrics.head);
    assert!(
        metrics.body.lines().any(|line| line.starts_with("# TYPE forsooth_")),
        "{}",
        metrics.body
    );
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_an_error_in_json() {
    let stage = Stage::new().await;
    let cases = [
        ("GET /", 404, "not_found"),
        ("GET /v2/node", 404, "not_found"),
        ("DELETE /v1/node", 405, "method_not_allowed"),
        ("PUT /v1/topics/open/messages", 405, "method_not_allowed"),
        ("GET /v1/topics/none/messages", 404, "unknown_topic"),
        ("GET /v1/topics/%ff/messages", 400, "bad_request"),
        ("GET /v1/topics/a/b/messages", 404, "not_found"),
    ];
    for (line, status, code) in cases {
        let answer = stage.request(line).send(stage.address()).await;
        assert_eq!((answer.status(), answer.code().as_str()), (status, code), "{line}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_gone_is_not_healthy() {
    let stage = Stage::new().await;
    stage.node.clone().shutdown().await.unwrap();
    for page in ["/healthz", "/readyz", "/metrics", "/v1/node", "/v1/topics/open/messages"] {
        let answer = stage.get(page).await;
        assert_eq!((answer.status(), answer.code().as_str()), (503, "shutting_down"), "{page}");
    }
    assert_eq!(stage.post("/v1/topics/open/messages", "x").await.code(), "shutting_down");
    stage.server.shutdown().await;
}
