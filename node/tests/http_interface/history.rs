//! Kept messages, over HTTP.

use std::time::Duration;

use forsooth::{Network, network::Retention};

use super::{client::Lines, stage::Stage};

async fn stage() -> Stage {
    let retention = Some(Retention::of(Duration::from_secs(3600)));
    Stage::kept(retention).await
}

async fn open(stage: &Stage, query: &str, last: Option<&str>) -> Lines {
    let mut request = stage.request(&format!("GET /v1/topics/open/messages{query}"));
    if let Some(last) = last {
        request = request.with("Last-Event-ID", last);
    }
    let lines = request.open(stage.address()).await;
    assert!(lines.head.starts_with("HTTP/1.0 200"), "{}", lines.head);
    lines
}

async fn word(lines: &mut Lines) -> (String, String) {
    let event = lines.event().await.unwrap();
    assert_eq!(event.name, "message", "{event:?}");
    (event.data["text"].as_str().unwrap().to_owned(), event.id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_goes_on_after_what_it_had_last() {
    let stage = stage().await;
    let friend = stage.friend().await;
    for text in ["one", "two"] {
        friend.publish("open", text).await.unwrap();
    }
    let mut all = open(&stage, "?from=start", None).await;
    let (one, id) = word(&mut all).await;
    assert_eq!((one.as_str(), word(&mut all).await.0.as_str()), ("one", "two"));
    for (query, last) in [(format!("?from={id}"), None), (String::new(), Some(id.as_str()))] {
        let mut rest = open(&stage, &query, last).await;
        assert_eq!(word(&mut rest).await.0, "two", "{query} {last:?}");
    }
    // It was away for longer than messages are kept: it gets all that there are.
    let mut late = open(&stage, "", Some(&"0".repeat(64))).await;
    assert_eq!(word(&mut late).await.0, "one");
    friend.publish("open", "three").await.unwrap();
    assert_eq!(word(&mut all).await.0, "three");

    let topics = stage.get("/v1/topics").await.json();
    let of = topics.as_array().unwrap().iter().find(|topic| topic["name"] == "open").unwrap();
    assert_eq!((&of["retention"]["time_s"], &of["kept"]), (&3600.into(), &3.into()));
    stage.end().await;
    assert!(all.event().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused_with_a_reason() {
    let stage = stage().await;
    for (query, status, code) in [
        ("open/messages?from=yesterday".to_owned(), 400, "bad_request"),
        ("vouched/messages?from=start&policy=3/3".to_owned(), 400, "bad_request"),
        (format!("open/messages?from={}", "0".repeat(64)), 404, "unknown_message"),
        ("nothing/messages?from=start".to_owned(), 404, "unknown_topic"),
    ] {
        let answer = stage.get(&format!("/v1/topics/{query}")).await;
        assert_eq!((answer.status(), answer.code()), (status, code.to_owned()), "{query}");
    }
    let bare = Stage::new().await;
    let answer = bare.get("/v1/topics/open/messages?from=start").await;
    assert_eq!((answer.status(), answer.code()), (404, "not_kept".to_owned()));
    let network: &Network = bare.node.network();
    assert!(network.topics().all(|(_, topic)| topic.retention.is_none()));
    bare.end().await;
    stage.end().await;
}
