//! Messages that are kept: read later, after a restart, from where a reader was.

use std::time::Duration;

use forsooth::{
    Begin, History, HistoryError, Network, Node,
    network::{Policy, Retention, Topic},
};

use crate::support::{local, network, network_of, next, soon};

fn with_retention(name: &str) -> Network {
    let retention = Some(Retention::of(Duration::from_secs(3600)));
    network_of(name, Topic { retention, ..Topic::new("t", Policy::Verified) })
}

async fn text(history: &mut History) -> String {
    let message = soon("a message is read", history.recv()).await.expect("the node runs").unwrap();
    String::from_utf8(message.payload.to_vec()).unwrap()
}

#[tokio::test]
async fn what_was_accepted_is_read_after_a_restart_from_where_the_reader_was() {
    let (folder, network) = (tempfile::tempdir().unwrap(), with_retention("kept"));
    let bob = || local(&network).data_dir(folder.path());
    let alice = local(&network).start().await.unwrap();
    let first = bob().peers(alice.addresses()).start().await.unwrap();
    soon("they are linked", first.ready(1)).await.unwrap();
    // Nobody subscribes: a topic with a retention is kept all the same.
    for word in ["one", "two", "three"] {
        alice.publish("t", word).await.unwrap();
    }
    let mut history = first.history("t", Begin::Start).await.unwrap();
    assert_eq!(text(&mut history).await, "one");
    let two = soon("the second", history.recv()).await.unwrap().unwrap();
    assert_eq!(text(&mut history).await, "three");
    first.shutdown().await.unwrap();
    assert!(history.recv().await.is_none(), "it ends with the node");

    let second = bob().peers(alice.addresses()).start().await.unwrap();
    let mut after = second.history("t", Begin::After(two.id)).await.unwrap();
    assert_eq!(text(&mut after).await, "three");
    let mut live = second.subscribe("t").unwrap();
    soon("they are linked", second.ready(1)).await.unwrap();
    alice.publish("t", "four").await.unwrap();
    // What comes again because it has not expired was accepted in the life before.
    assert_eq!(&next(&mut live).await.payload[..], b"four");
    assert_eq!(text(&mut after).await, "four");
    let keeping = second.snapshot().await.unwrap().keeping.unwrap();
    assert_eq!(keeping.holdings.values().map(|holding| holding.messages).sum::<u64>(), 4);
    second.shutdown().await.unwrap();
    alice.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_is_not_kept_is_not_to_be_had() {
    let node = local(&network("unkept", Policy::Verified)).start().await.unwrap();
    let refused = node.history("t", Begin::Start).await.unwrap_err();
    assert!(matches!(refused, HistoryError::NotKept { .. }), "{refused}");
    let refused = node.history("x", Begin::Start).await.unwrap_err();
    assert!(matches!(refused, HistoryError::UnknownTopic { .. }), "{refused}");
    assert_eq!(node.snapshot().await.unwrap().keeping, None);

    let kept = local(&with_retention("memory")).start().await.unwrap();
    let handle: Node = kept.clone();
    kept.shutdown().await.unwrap();
    let refused = handle.history("t", Begin::Now).await.unwrap_err();
    assert!(matches!(refused, HistoryError::Closed), "{refused}");
}
