//! Who is banned, over HTTP.

use forsooth::http::Token;
use serde_json::Value;

use super::{client::Answer, stage::Stage};

async fn change(stage: &Stage, line: &str) -> Answer {
    let request = stage.request(line).with("Authorization", stage.token.authorization());
    request.send(stage.address()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_is_banned_for_a_time_and_let_in_again() {
    let stage = Stage::new().await;
    let friend = stage.friend().await;
    let id = friend.id().to_string();
    assert_eq!(stage.get("/v1/bans").await.json(), Value::Array(Vec::new()));

    let ban = change(&stage, &format!("PUT /v1/bans/{id}?for_ms=3600000")).await;
    assert_eq!((ban.status(), &ban.json()["cause"]), (200, &"operator".into()));
    assert!(ban.json()["until"].as_u64().is_some());
    let listed = stage.get("/v1/bans").await.json();
    assert_eq!(
        (&listed[0]["whom"], &listed[0]["until"]),
        (&Value::from(id.clone()), &ban.json()["until"])
    );
    assert_eq!(stage.get("/v1/peers").await.json(), Value::Array(Vec::new()), "the link is closed");

    let lifted = change(&stage, &format!("DELETE /v1/bans/{id}")).await;
    assert_eq!((lifted.status(), &lifted.json()["whom"]), (200, &Value::from(id.clone())));
    stage.node.add_peers(friend.addresses()).await.unwrap();
    stage.node.ready(1).await.unwrap();
    let again = change(&stage, &format!("DELETE /v1/bans/{id}")).await;
    assert_eq!((again.status(), again.code()), (404, "not_banned".to_owned()));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_named_with_its_slash_escaped() {
    let stage = Stage::new().await;
    let friend = stage.friend().await;
    let ban = change(&stage, "PUT /v1/bans/127.0.0.1%2F8").await;
    assert_eq!((ban.status(), &ban.json()["whom"]), (200, &"127.0.0.0/8".into()));
    assert_eq!(ban.json()["until"], Value::Null);
    assert_eq!(stage.get("/v1/peers").await.json(), Value::Array(Vec::new()));
    assert_eq!(change(&stage, "DELETE /v1/bans/127.0.0.0%2F8").await.status(), 200);
    friend.shutdown().await.unwrap();
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_banned_is_refused_with_a_reason() {
    let stage = Stage::new().await;
    let own = stage.node.id();
    for (line, status, code) in [
        ("PUT /v1/bans/alice".to_owned(), 400, "bad_request"),
        ("PUT /v1/bans/192.0.2.7%2F33".to_owned(), 400, "bad_request"),
        ("PUT /v1/bans/192.0.2.7?for_ms=0".to_owned(), 400, "bad_request"),
        ("PUT /v1/bans/192.0.2.7?for_s=1".to_owned(), 400, "bad_request"),
        (format!("PUT /v1/bans/{own}"), 409, "own_id"),
        ("DELETE /v1/bans/192.0.2.7".to_owned(), 404, "not_banned"),
    ] {
        let answer = change(&stage, &line).await;
        assert_eq!((answer.status(), answer.code()), (status, code.to_owned()), "{line}");
    }
    for line in ["PUT /v1/bans/192.0.2.7", "DELETE /v1/bans/192.0.2.7"] {
        let answer = stage.request(line).send(stage.address()).await;
        assert_eq!((answer.status(), answer.code()), (401, "token_missing".to_owned()));
        let wrong = Token::random().unwrap().authorization();
        let answer = stage.request(line).with("Authorization", wrong).send(stage.address()).await;
        assert_eq!((answer.status(), answer.code()), (401, "token_wrong".to_owned()));
    }
    assert_eq!(stage.get("/v1/bans").await.json(), Value::Array(Vec::new()));
    stage.end().await;
}
