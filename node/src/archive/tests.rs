use std::time::Duration;

use bytes::Bytes;
use forsooth_crypto::{Keypair, NodeId};
use forsooth_protocol::{
    Publication, Slot,
    network::{Defence, Kind, Policy, Topic},
};
use tokio::sync::watch;

use super::*;
use crate::store::Flaky;

const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn network(retention: Retention) -> Arc<Network> {
    let kept =
        |name: &str| Topic { retention: Some(retention), ..Topic::new(name, Policy::Verified) };
    let topics = vec![kept("a"), kept("b"), Topic::new("gone", Policy::Verified)];
    Arc::new(Network::new("n", Kind::Local, topics, Defence::recommended(Kind::Local)).unwrap())
}

fn hour() -> Arc<Network> {
    network(Retention::of(Duration::from_secs(3600)))
}

fn at(s: u64) -> Timestamp {
    BEGIN.saturating_add(Duration::from_secs(s))
}

/// The message of a number on a topic, published and accepted so many seconds after the beginning.
fn kept(network: &Network, topic: &str, seq: u64, s: u64) -> Kept {
    let key = Keypair::from_seed([7; 32]);
    let topic = network.topic_id(topic).unwrap();
    let slot = Slot { author: key.id(), topic, generation: 1, seq };
    let payload = Bytes::from(vec![1; 1000]);
    let lifetime = Duration::from_secs(60);
    let publication = Publication::sign(slot, at(s), lifetime, payload, &key, network);
    let vouchers = vec![NodeId::from_bytes([3; 32]), NodeId::from_bytes([4; 32])];
    Kept { topic, publication, vouchers, attestors: Vec::new(), accepted: at(s) }
}

fn seqs(archive: &Archive, topic: &str) -> Vec<u64> {
    let topic = archive.network.topic_id(topic).unwrap();
    let read = archive.read(topic, 0).unwrap();
    read.iter().map(|(_, kept)| kept.publication.header().slot.seq).collect()
}

fn holding(archive: &Archive, topic: &str) -> Holding {
    let topic = archive.network.topic_id(topic).unwrap();
    archive.holdings().unwrap().into_iter().find(|(of, _)| *of == topic).unwrap().1
}

#[test]
fn what_is_kept_is_there_after_a_restart_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let network = hour();
    let archive = Archive::open(Some(folder.path()), &network).unwrap();
    let messages = [0, 1, 2].map(|seq| kept(&network, "a", seq, seq));
    archive.write(&messages, at(3)).unwrap();
    archive.write(&messages[1..], at(3)).unwrap();
    archive.write(&[kept(&network, "b", 9, 3)], at(3)).unwrap();
    drop(archive);

    let archive = Archive::open(Some(folder.path()), &network).unwrap();
    assert_eq!((seqs(&archive, "a"), seqs(&archive, "b")), (vec![0, 1, 2], vec![9]));
    let (place, first) = archive.read(messages[0].topic, 1).unwrap().swap_remove(0);
    assert_eq!((place, first.accepted, first.vouchers), (1, at(1), messages[1].vouchers.clone()));
    assert_eq!(first.publication, messages[1].publication);
    let id = messages[2].publication.id();
    assert_eq!(archive.place(messages[2].topic, &id).unwrap(), Some(2));
    assert_eq!(holding(&archive, "a").messages(), 3);
}

#[test]
fn what_is_over_goes_first_in_first_out() {
    let network = hour();
    let archive = Archive::open(None, &network).unwrap();
    let messages = [0, 100, 200].map(|s| kept(&network, "a", s, s));
    archive.write(&messages, at(3599)).unwrap();
    assert_eq!(seqs(&archive, "a"), [0, 100, 200]);
    archive.write(&[], at(3600)).unwrap();
    assert_eq!(seqs(&archive, "a"), [100, 200]);
    archive.write(&[], at(3800)).unwrap();
    let empty = holding(&archive, "a");
    assert_eq!((empty.first, empty.next, empty.bytes), (3, 3, 0));
    let id = messages[0].publication.id();
    assert_eq!(archive.place(messages[0].topic, &id).unwrap(), None);
}

#[test]
fn a_topic_holds_no_more_messages_and_bytes_than_it_may() {
    let few = Retention { messages: 5, ..Retention::of(Duration::from_secs(3600)) };
    let small = Retention { bytes: 1 << 20, ..Retention::of(Duration::from_secs(3600)) };
    for (retention, messages_max) in [(few, 5), (small, (1 << 20) / 1000)] {
        let network = network(retention);
        let archive = Archive::open(None, &network).unwrap();
        for lot in 0..6 {
            let lot: Vec<_> = (0..200).map(|seq| kept(&network, "a", lot * 200 + seq, 0)).collect();
            archive.write(&lot, at(1)).unwrap();
        }
        let holding = holding(&archive, "a");
        assert!(holding.messages() <= messages_max, "{holding:?}");
        assert!(holding.messages() >= 5 && holding.bytes <= retention.bytes, "{holding:?}");
        assert_eq!(holding.next, 1200);
    }
}

#[test]
fn only_what_has_not_expired_could_come_again() {
    let network = hour();
    let archive = Archive::open(None, &network).unwrap();
    let messages = [0, 30, 50].map(|s| kept(&network, "a", s, s));
    archive.write(&messages, at(60)).unwrap();
    let again = archive.unexpired(at(89)).unwrap();
    assert_eq!(again, [messages[2].publication.id(), messages[1].publication.id()]);
    assert_eq!(archive.unexpired(at(9000)).unwrap(), []);
}

#[test]
fn another_networks_file_and_a_damaged_one_are_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    drop(Archive::open(Some(folder.path()), &hour()).unwrap());
    let other = network(Retention::of(Duration::from_secs(7200)));
    let refused = Archive::open(Some(folder.path()), &other).unwrap_err();
    assert!(matches!(refused, StoreError::OtherNetwork { .. }), "{refused}");
    std::fs::write(folder.path().join(FILE), b"what is this?").unwrap();
    let refused = Archive::open(Some(folder.path()), &hour()).unwrap_err();
    assert!(matches!(refused, StoreError::DamagedMessages { .. }), "{refused:?}");
    assert!(refused.to_string().contains("move it away"), "{refused}");
}

#[test]
fn what_was_cut_short_is_no_message() {
    let network = hour();
    let whole = kept(&network, "a", 1, 1).encode();
    let topic = network.topic_id("a").unwrap();
    assert!(Kept::decode(topic, &whole, &network).is_some());
    for length in 0..whole.len() {
        assert!(Kept::decode(topic, &whole[..length], &network).is_none(), "{length}");
    }
}

struct Shelf {
    archive: Arc<Archive>,
    keeper: Keeper,
    heads: watch::Receiver<Heads>,
}

impl Shelf {
    fn new(network: &Arc<Network>) -> Self {
        let archive = Arc::new(Archive::open(None, network).unwrap());
        let (tell, heads) = watch::channel(Heads::new());
        let keeper = Keeper::start(Arc::clone(&archive), tell).unwrap();
        Self { archive, keeper, heads }
    }

    /// On a disk that can be full.
    fn on(flaky: &Flaky, network: &Arc<Network>) -> Self {
        let backend = flaky.clone();
        let open = move || {
            let opened = Database::builder().create_with_backend(backend.clone());
            opened.map_err(|error| StoreError::open(Path::new("flaky"), error))
        };
        let disk = Disk::new(PathBuf::from("flaky"), open).unwrap();
        let archive = Arc::new(Archive::on(disk, network).unwrap());
        let (tell, heads) = watch::channel(Heads::new());
        let keeper = Keeper::start(Arc::clone(&archive), tell).unwrap();
        Self { archive, keeper, heads }
    }

    async fn read(&self, from: Begin) -> Result<History, HistoryError> {
        let topic = self.archive.network.topic_id("a").unwrap();
        History::open(Arc::downgrade(&self.archive), topic, self.heads.clone(), from).await
    }
}

/// A message that is not over for as long as the test runs.
fn fresh(network: &Network, seq: u64) -> Kept {
    let now = crate::clock::wall().unwrap();
    let begin = Timestamp::from_millis(now.as_millis() - BEGIN.as_millis());
    kept(network, "a", seq, begin.as_secs())
}

async fn seq(history: &mut History) -> u64 {
    history.recv().await.unwrap().unwrap().seq
}

#[tokio::test]
async fn a_reader_gets_what_is_there_and_what_comes_each_once() {
    let network = hour();
    let shelf = Shelf::new(&network);
    (0..3).for_each(|seq| shelf.keeper.keep(fresh(&network, seq)));
    shelf.heads.clone().wait_for(|heads| heads.values().any(|head| *head == 3)).await.unwrap();
    let mut all = shelf.read(Begin::Start).await.unwrap();
    let mut new = shelf.read(Begin::Now).await.unwrap();
    let second = fresh(&network, 1);
    let known = shelf.archive.read(second.topic, 1).unwrap()[0].1.publication.id();
    let mut rest = shelf.read(Begin::After(known)).await.unwrap();
    assert_eq!([seq(&mut all).await, seq(&mut all).await, seq(&mut all).await], [0, 1, 2]);
    assert_eq!(seq(&mut rest).await, 2);
    shelf.keeper.keep(fresh(&network, 3));
    for reader in [&mut all, &mut new, &mut rest] {
        assert_eq!(seq(reader).await, 3);
    }
    let unknown = MessageId::from_bytes([9; 32]);
    let refused = shelf.read(Begin::After(unknown)).await.unwrap_err();
    assert!(matches!(refused, HistoryError::UnknownMessage { id } if id == unknown));
    shelf.keeper.close().await.unwrap();
    drop(shelf.archive);
    assert!(all.recv().await.is_none(), "it ends with the node");
}

#[tokio::test]
async fn a_reader_that_is_too_late_is_told_how_much_it_missed() {
    let few = Retention { messages: 2, ..Retention::of(Duration::from_secs(3600)) };
    let network = network(few);
    let shelf = Shelf::new(&network);
    let mut reader = shelf.read(Begin::Start).await.unwrap();
    for seq in 0..5 {
        shelf.keeper.keep(fresh(&network, seq));
    }
    shelf.heads.clone().wait_for(|heads| heads.values().any(|head| *head == 5)).await.unwrap();
    let first = reader.recv().await.unwrap().unwrap();
    assert_eq!((first.seq, first.missed), (3, 3));
    assert_eq!(seq(&mut reader).await, 4);
    let condition = shelf.keeper.condition();
    assert_eq!((condition.lost, condition.refusal), (0, None));
}

#[tokio::test]
async fn a_full_disk_is_told_and_what_it_refused_is_kept_once_there_is_room() {
    let (network, flaky) = (hour(), Flaky::default());
    let shelf = Shelf::on(&flaky, &network);
    let mut heads = shelf.heads.clone();
    shelf.keeper.keep(fresh(&network, 0));
    heads.wait_for(|heads| heads.values().any(|head| *head == 1)).await.unwrap();
    flaky.fill(true);
    shelf.keeper.keep(fresh(&network, 1));
    while shelf.keeper.condition().refusal.is_none() {
        tokio::task::yield_now().await;
    }
    let refusal = shelf.keeper.condition().refusal.unwrap();
    assert!(refusal.contains("flaky"), "{refusal}");
    flaky.fill(false);
    shelf.keeper.keep(fresh(&network, 2));
    heads.wait_for(|heads| heads.values().any(|head| *head == 3)).await.unwrap();
    assert_eq!(seqs(&shelf.archive, "a"), [0, 1, 2]);
    let condition = shelf.keeper.condition();
    assert_eq!((condition.refusal, condition.lost), (None, 0));
}
