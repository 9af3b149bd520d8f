//! `POST /v1/topics/{topic}/messages`.

use serde_json::json;

use super::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_arrives_byte_for_byte_and_its_receipt_has_its_id() {
    let stage = Stage::new().await;
    let friend = stage.friend().await;
    let mut topic = friend.subscribe("a/b").unwrap();
    let payload: Vec<u8> = (0..=255).collect();
    let answer = stage.post("/v1/topics/a%2Fb/messages?lifetime_ms=1500", payload.clone()).await;
    assert_eq!(answer.status(), 201);
    let message = topic.recv().await.unwrap();
    assert_eq!(message.payload, payload);
    assert_eq!(
        answer.json(),
        json!({ "id": message.id.to_string(), "sent_to": 1, "queued": false, "witnesses_lacking": 0 })
    );
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_peer_a_payload_is_queued_and_the_receipt_says_so() {
    let stage = Stage::new().await;
    let receipt = stage.post("/v1/topics/open/messages", "x").await.json();
    assert_eq!((&receipt["sent_to"], &receipt["queued"]), (&json!(0), &json!(true)));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_has_a_status_a_code_and_a_message() {
    let stage = Stage::new().await;
    let cases = [
        (
            "/v1/topics/opne/messages",
            1,
            404,
            "unknown_topic",
            "no topic `opne`, did you mean `open`?",
        ),
        ("/v1/topics/small/messages", 11, 413, "oversize", "larger than the 10 bytes"),
        ("/v1/topics/small/messages", 2_000_000, 413, "oversize", "larger than the 10 bytes"),
        (
            "/v1/topics/brief/messages?lifetime_ms=2001",
            1,
            400,
            "bad_lifetime",
            "between 1 ms and 2s",
        ),
        ("/v1/topics/brief/messages?lifetime_ms=0", 1, 400, "bad_lifetime", "between 1 ms and 2s"),
        ("/v1/topics/brief/messages?lifetime_ms=soon", 1, 400, "bad_request", "lifetime_ms"),
        ("/v1/topics/brief/messages?lifetime=1", 1, 400, "bad_request", "lifetime_ms"),
    ];
    for (page, bytes, status, code, said) in cases {
        let answer = stage.post(page, vec![b'x'; bytes]).await;
        assert_eq!((answer.status(), answer.code().as_str()), (status, code), "{page}: {answer:?}");
        assert!(
            answer.json()["error"]["message"].as_str().unwrap().contains(said),
            "{page}: {answer:?}"
        );
    }
    let topics =
        stage.post("/v1/topics/none/messages", "x").await.json()["error"]["topics"].clone();
    assert_eq!(topics, json!(["a/b", "brief", "open", "slow", "small", "vouched"]));
    assert_eq!(stage.post("/v1/topics/small/messages", "0123456789").await.status(), 201);
    assert_eq!(stage.post("/v1/topics/small/messages", "").await.status(), 201);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_rate_comes_with_when_to_try_again() {
    let stage = Stage::new().await;
    let page = "/v1/topics/slow/messages";
    let mut answer = stage.post(page, "x").await;
    assert_eq!(answer.status(), 201);
    // The rate and the burst together allow a few at once; then there is an end to it.
    for _ in 0..10 {
        answer = stage.post(page, "x").await;
        if answer.status() != 201 {
            break;
        }
    }
    assert_eq!((answer.status(), answer.code().as_str()), (429, "over_rate"), "{answer:?}");
    let after = answer.head.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap();
    let (seconds, ms) =
        (after.parse::<u64>().unwrap(), answer.json()["error"]["retry_after_ms"].as_u64().unwrap());
    assert!((1..=120).contains(&seconds) && seconds * 1000 >= ms, "{answer:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_an_announced_length_is_held_to_the_limit_too() {
    let stage = Stage::new().await;
    let to = stage.address();
    let chunked = |length: usize| {
        let head = stage
            .request("POST /v1/topics/small/messages")
            .with("Authorization", stage.token.authorization())
            .with("Transfer-Encoding", "chunked")
            .with("Connection", "close")
            .head()
            .replace("HTTP/1.0", "HTTP/1.1");
        format!("{head}{length:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(length))
    };
    for (length, status) in [(10, "201"), (11, "413")] {
        let answer = raw(to, &chunked(length)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    stage.end().await;
}

async fn raw(to: std::net::SocketAddr, text: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(to).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
