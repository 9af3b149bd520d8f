//! `GET /v1/topics/{topic}/messages`.

use std::time::Duration;

use data_encoding::BASE64;
use forsooth::http::Limits;
use serde_json::json;

use super::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_an_event_with_everything_about_it() {
    let stage = Stage::new().await;
    let friend = stage.friend().await;
    let mut lines = stage.subscribe("a%2Fb").await;
    assert!(lines.head.contains("content-type: text/event-stream"), "{}", lines.head);
    let payloads: [(&[u8], _); 3] = [
        (b"two\nlines \"and\" \xc3\xbc", Some("two\nlines \"and\" ü")),
        (b"\xff\x00", None),
        (b"", Some("")),
    ];
    for (seq, (payload, text)) in payloads.into_iter().enumerate() {
        let receipt = friend.publish("a/b", payload).await.unwrap();
        let event = lines.event().await.unwrap();
        assert_eq!(
            (event.name.as_str(), event.id.as_str()),
            ("message", receipt.id.to_string().as_str())
        );
        assert_eq!(event.data["id"], event.id);
        assert_eq!(event.data["topic"], "a/b");
        assert_eq!(event.data["author"], friend.id().to_string());
        assert_eq!(event.data["seq"], seq);
        assert_eq!(event.data["vouchers"], json!([]));
        assert_eq!(event.data["payload"], BASE64.encode(payload));
        assert_eq!(event.data.get("text").and_then(|text| text.as_str()), text);
        // Two nodes read the clock apart, and round.
        let time = |field: &str| event.data[field].as_u64().unwrap();
        assert!(time("accepted").abs_diff(time("published")) < 10_000, "{:?}", event.data);
        assert!(event.data["generation"].as_u64().unwrap() > 1_500_000_000);
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_is_too_slow_is_told_how_many_messages_it_lost() {
    let stage =
        Stage::with(Limits::default(), |builder| builder.subscription_messages_max(1)).await;
    let friend = stage.friend().await;
    let mut lines = stage.subscribe("open").await;
    // Nobody reads: some 10 MiB fill the sockets' buffers, then messages are lost.
    let mut published = 0;
    while published < 3 || stage.node.snapshot().await.unwrap().delivery.missed == 0 {
        assert!(published < 100, "the system's buffers have no end");
        friend.publish("open", vec![0xff; 1 << 20]).await.unwrap();
        published += 1;
        until_delivered(&stage, published).await;
    }
    // The marker comes with the next message that finds room, so there must be a next one.
    let (mut seen, mut missed) = (0, 0);
    while missed == 0 {
        friend.publish("open", "next").await.unwrap();
        published += 1;
        until_delivered(&stage, published).await;
        let event = lines.event().await.unwrap();
        match event.name.as_str() {
            "missed" => missed = event.data["count"].as_u64().unwrap(),
            name => {
                assert_eq!((name, event.data["seq"].as_u64().unwrap()), ("message", seen));
                seen += 1;
            }
        }
    }
    let next = lines.event().await.unwrap();
    assert_eq!(
        (next.name.as_str(), next.data["seq"].as_u64().unwrap()),
        ("message", seen + missed)
    );
    stage.end().await;
}

/// Waits until so many messages were handed to the subscription, or lost.
async fn until_delivered(stage: &Stage, count: u64) {
    let handed_on = async {
        loop {
            let delivery = stage.node.snapshot().await.unwrap().delivery;
            if delivery.delivered + delivery.missed >= count {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), handed_on).await.expect("the message arrives");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_readers_at_once_and_a_place_is_free_when_one_leaves() {
    let limits = Limits { streams: 2, keep_alive: Duration::from_millis(50), ..Limits::default() };
    let stage = Stage::with(limits, |builder| builder).await;
    let (first, _second) = (stage.subscribe("open").await, stage.subscribe("open").await);
    let full = stage.get("/v1/topics/open/messages").await;
    assert_eq!((full.status(), full.code().as_str()), (503, "too_many_streams"));
    assert_eq!(stage.get("/healthz").await.status(), 200);
    drop(first);
    // The server finds out when it next has something to say.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let lines = stage.request("GET /v1/topics/open/messages").open(stage.address()).await;
        if lines.head.starts_with("HTTP/1.0 200") {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "the place is never free");
        tokio::task::yield_now().await;
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stream_says_that_it_is_alive() {
    let limits = Limits { keep_alive: Duration::from_millis(20), ..Limits::default() };
    let stage = Stage::with(limits, |builder| builder).await;
    let mut lines = stage.subscribe("open").await;
    for _ in 0..3 {
        assert_eq!(lines.next().await.as_deref(), Some(":"));
        assert_eq!(lines.next().await.as_deref(), Some(""));
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_when_the_interface_or_the_node_stops() {
    let stage = Stage::new().await;
    let mut lines = stage.subscribe("open").await;
    stage.server.shutdown().await;
    assert!(lines.event().await.is_none());
    stage.node.shutdown().await.unwrap();

    let stage = Stage::new().await;
    let mut lines = stage.subscribe("open").await;
    stage.node.clone().shutdown().await.unwrap();
    assert!(lines.event().await.is_none());
    stage.end().await;
}
