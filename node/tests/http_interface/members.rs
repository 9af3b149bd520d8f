//! Who is a member, over HTTP.

use serde_json::{Value, json};

use super::{client::Answer, stage::Stage};

async fn tag(stage: &Stage, body: &str) -> Answer {
    let request = stage.request("PUT /v1/tags").with("Authorization", stage.token.authorization());
    request.body(body).send(stage.address()).await
}

/// The list once it has so many members.
async fn members(stage: &Stage, count: usize) -> Value {
    let asking = async {
        loop {
            let view = stage.get("/v1/members").await.json();
            if view["list"].as_array().unwrap().len() == count {
                return view;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), asking).await.expect("all are known")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_and_leaves_is_listed_and_told() {
    let stage = Stage::of_members().await;
    let mut events = stage.request("GET /v1/members/events").open(stage.address()).await;
    assert!(events.head.starts_with("HTTP/1.0 200"), "{}", events.head);
    let listen = ["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
    let friend = stage.friend_with(|builder| builder.listen(listen)).await;
    let id = friend.id().to_string();

    let joined = events.event().await.unwrap();
    assert_eq!((joined.name.as_str(), &joined.data["id"]), ("joined", &Value::from(id.clone())));
    assert!(joined.data["generation"].as_u64().unwrap() > 1_700_000_000);
    assert!(joined.data["at"].as_u64().unwrap() > 1_700_000_000_000);

    let view = members(&stage, 2).await;
    assert_eq!((&view["members"], &view["suspected"]), (&json!(2), &json!(0)));
    assert_eq!(view["list"][0]["id"], stage.node.id().to_string());
    assert_eq!((&view["list"][0]["this_node"], &view["is_member"]), (&json!(true), &json!(true)));
    let other = &view["list"][1];
    assert_eq!((&other["id"], &other["this_node"]), (&Value::from(id.clone()), &json!(false)));
    assert!(other["addresses"][0].as_str().unwrap().starts_with("/ip4/127.0.0.1/tcp/"));
    let node = stage.get("/v1/node").await.json();
    assert_eq!(node["membership"]["members"], 2);

    friend.shutdown().await.unwrap();
    let left = events.event().await.unwrap();
    assert_eq!((left.name.as_str(), &left.data["id"]), ("left", &Value::from(id)));
    members(&stage, 1).await;
    stage.end().await;
    assert!(events.event().await.is_none(), "the stream ends with the node");
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_set_whole_and_by_whoever_has_the_token() {
    let stage = Stage::of_members().await;
    let set = tag(&stage, r#"{"role": "relay", "zone": "eu"}"#).await;
    assert_eq!((set.status(), set.json()), (200, json!({ "role": "relay", "zone": "eu" })));
    let view = members(&stage, 1).await;
    assert_eq!(view["list"][0]["tags"], json!({ "role": "relay", "zone": "eu" }));
    assert_eq!(tag(&stage, r#"{"zone": "us"}"#).await.status(), 200);
    let view = members(&stage, 1).await;
    assert_eq!(view["list"][0]["tags"], json!({ "zone": "us" }), "not added to those before");

    let long = "x".repeat(1025);
    for (body, status, code) in [
        ("", 400, "bad_request"),
        ("[1]", 400, "bad_request"),
        (r#"{"a": 1}"#, 400, "bad_request"),
        (r#"{"": "a"}"#, 400, "bad_tags"),
        (&format!(r#"{{"a": "{long}"}}"#), 400, "bad_tags"),
        (&" ".repeat(17 << 10), 413, "oversize"),
    ] {
        let answer = tag(&stage, body).await;
        assert_eq!((answer.status(), answer.code()), (status, code.to_owned()));
    }
    let bare = stage.request("PUT /v1/tags").body("{}").send(stage.address()).await;
    assert_eq!((bare.status(), bare.code()), (401, "token_missing".to_owned()));
    assert_eq!(members(&stage, 1).await["list"][0]["tags"], json!({ "zone": "us" }));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_without_membership_has_no_members_page() {
    let stage = Stage::new().await;
    for page in ["/v1/members", "/v1/members/events"] {
        let answer = stage.get(page).await;
        assert_eq!((answer.status(), answer.code()), (404, "no_membership".to_owned()));
    }
    assert_eq!(tag(&stage, "{}").await.code(), "no_membership");
    assert_eq!(stage.get("/v1/node").await.json()["membership"], Value::Null);
    stage.end().await;
}
