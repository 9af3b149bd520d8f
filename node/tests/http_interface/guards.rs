//! Who is answered, and how long.

use std::time::Duration;

use forsooth::http::{Config, Limits, Server, StartError, Token};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_names_another_host_learns_nothing() {
    let stage = Stage::new().await;
    let (to, port) = (stage.address(), stage.address().port());
    let pages = [
        "GET /healthz",
        "GET /metrics",
        "GET /v1/node",
        "GET /v1/topics/open/messages",
        "GET /none",
        "POST /v1/topics/open/messages",
    ];
    for page in pages {
        for host in [
            "evil.example".to_owned(),
            format!("evil.example:{port}"),
            "localhost".to_owned(),
            String::new(),
        ] {
            let answer = stage.request(page).without("host").with("Host", &host).send(to).await;
            assert_eq!(
                (answer.status(), answer.code().as_str()),
                (403, "foreign_host"),
                "{page} {host}"
            );
        }
        assert_eq!(stage.request(page).without("host").send(to).await.code(), "foreign_host");
        assert_eq!(
            stage.request(page).with("Host", "evil.example").send(to).await.code(),
            "foreign_host"
        );
    }
    for host in [format!("localhost:{port}"), format!("[::1]:{port}"), "node.example".to_owned()] {
        assert_eq!(
            stage
                .request("GET /healthz")
                .without("host")
                .with("Host", &host)
                .send(to)
                .await
                .status(),
            200
        );
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writing_needs_the_token() {
    let stage = Stage::new().await;
    let to = stage.address();
    let post = || stage.request("POST /v1/topics/open/messages").body("x");
    let right = stage.token.authorization();
    let cases = [
        (post(), "token_missing"),
        (post().with("Authorization", "Bearer"), "token_wrong"),
        (post().with("Authorization", "Bearer "), "token_wrong"),
        (post().with("Authorization", Token::random().unwrap().authorization()), "token_wrong"),
        (post().with("Authorization", &right[..right.len() - 1]), "token_wrong"),
        (post().with("Authorization", format!("{right}0")), "token_wrong"),
        (post().with("Authorization", right.replace("Bearer", "Basic")), "token_wrong"),
    ];
    for (request, code) in cases {
        let answer = request.send(to).await;
        assert_eq!((answer.status(), answer.code().as_str()), (401, code));
        assert!(answer.head.contains("www-authenticate: Bearer"), "{}", answer.head);
    }
    assert_eq!(
        post().with("Authorization", right.replace("Bearer", "bearer")).send(to).await.status(),
        201
    );
    assert_eq!(stage.node.snapshot().await.unwrap().delivery.delivered, 0, "nobody subscribes");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_invites_another_origin() {
    let stage = Stage::new().await;
    let ask = |line: &str| {
        stage.request(line).with("Origin", "https://evil.example").send(stage.address())
    };
    for line in ["GET /v1/node", "OPTIONS /v1/topics/open/messages", "OPTIONS /v1/node"] {
        let answer = ask(line).await;
        assert!(!answer.head.to_lowercase().contains("access-control"), "{}", answer.head);
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_nothing_or_half_is_hung_up_on() {
    let quick = Duration::from_millis(200);
    let limits = Limits { head_timeout: quick, body_timeout: quick, ..Limits::default() };
    let stage = Stage::with(limits, |builder| builder).await;
    let post = stage
        .request("POST /v1/topics/open/messages")
        .with("Authorization", stage.token.authorization());
    let half = post.with("Content-Length", "100").head();
    for (sent, answered) in [("", ""), ("GET /healthz HT", ""), (half.as_str(), "408")] {
        let mut stream = TcpStream::connect(stage.address()).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let ended =
            tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut answer)).await;
        assert!(ended.is_ok(), "{sent:?} may stay");
        assert!(answer.contains(answered), "{sent:?}: {answer}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_client_keeps_others_out_only_until_its_time_is_up() {
    let head_timeout = Duration::from_millis(300);
    let limits = Limits { connections: 1, head_timeout, ..Limits::default() };
    let stage = Stage::with(limits, |builder| builder).await;
    let silent = TcpStream::connect(stage.address()).await.unwrap();
    let asked = std::time::Instant::now();
    assert_eq!(stage.get("/healthz").await.status(), 200);
    assert!(asked.elapsed() >= head_timeout / 2, "there is one place, and it was taken");
    drop(silent);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_head_and_garbage_are_refused() {
    let stage = Stage::new().await;
    let long = stage
        .request("GET /healthz")
        .with("X-Long", "x".repeat(100_000))
        .send(stage.address())
        .await;
    assert_eq!(long.status(), 431);
    let garbage = stage.request("\u{1} \u{2}").send(stage.address()).await;
    assert_eq!(garbage.status(), 400);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_that_others_reach_needs_a_name() {
    let stage = Stage::new().await;
    let config = |listen: &str, hosts: &[&str]| Config {
        listen: listen.parse().unwrap(),
        hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
        token: stage.token.clone(),
        limits: Limits::default(),
    };
    let error = Server::start(stage.node.clone(), config("0.0.0.0:0", &[])).await.unwrap_err();
    assert!(
        matches!(error, StartError::HostsNeeded(_)) && error.to_string().contains("--http-host"),
        "{error}"
    );
    Server::start(stage.node.clone(), config("0.0.0.0:0", &["node.example"]))
        .await
        .unwrap()
        .shutdown()
        .await;

    let taken = stage.address().to_string();
    let error = Server::start(stage.node.clone(), config(&taken, &[])).await.unwrap_err();
    assert!(
        matches!(error, StartError::InUse(_)) && error.to_string().contains("--http 127.0.0.1:0"),
        "{error}"
    );
    stage.end().await;
}
