use futures::FutureExt as _;
use tokio::sync::watch;

use super::*;
use crate::{
    archive::{
        history::{Begin, Heads, History, HistoryError},
        keeper::{Answer, Keeper},
    },
    store::Flaky,
};

/// An archive at work.
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

    /// Has a message kept that is not over for as long as the test runs, by an order of its own number.
    fn keep(&self, seq: u64) {
        assert!(self.keeper.keep(seq, fresh(&self.archive.network, seq)));
    }

    async fn read(&self, from: Begin) -> Result<History, HistoryError> {
        let topic = self.archive.network.topic_id("a").unwrap();
        History::open(Arc::downgrade(&self.archive), topic, self.heads.clone(), from).await
    }
}

/// A message that is not over for as long as the test runs, published as many seconds later as its number says.
fn fresh(network: &Network, seq: u64) -> Kept {
    let now = crate::clock::wall().unwrap();
    let begin = Timestamp::from_millis(now.as_millis() - BEGIN.as_millis());
    kept(network, "a", seq, begin.as_secs() + seq)
}

async fn seq(history: &mut History) -> u64 {
    history.recv().await.unwrap().unwrap().seq
}

#[tokio::test]
async fn a_reader_gets_what_is_there_and_what_comes_each_once() {
    let network = hour();
    let shelf = Shelf::new(&network);
    (0..3).for_each(|seq| shelf.keep(seq));
    shelf.heads.clone().wait_for(|heads| heads.values().any(|head| *head == 3)).await.unwrap();
    let mut all = shelf.read(Begin::Start).await.unwrap();
    let mut new = shelf.read(Begin::Now).await.unwrap();
    let known = shelf.archive.read(network.topic_id("a").unwrap(), 1).unwrap()[0].1.id;
    let mut rest = shelf.read(Begin::After(known)).await.unwrap();
    assert_eq!([seq(&mut all).await, seq(&mut all).await, seq(&mut all).await], [0, 1, 2]);
    assert_eq!(seq(&mut rest).await, 2);
    shelf.keep(3);
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
    (0..5).for_each(|seq| shelf.keep(seq));
    shelf.heads.clone().wait_for(|heads| heads.values().any(|head| *head == 5)).await.unwrap();
    let first = reader.recv().await.unwrap().unwrap();
    assert_eq!((first.seq, first.missed), (3, 3));
    assert_eq!(seq(&mut reader).await, 4);
    let condition = shelf.keeper.condition();
    assert_eq!((condition.lost, condition.refusal), (0, None));
}

#[tokio::test]
async fn a_reader_from_the_start_has_missed_nothing_that_was_gone_before_it_came() {
    let few = Retention { messages: 3, ..Retention::of(Duration::from_secs(3600)) };
    let network = network(few);
    let shelf = Shelf::new(&network);
    // Accepted in this order; of them 0 goes first.
    let messages = [2, 0, 3, 1].map(|seq| fresh(&network, seq));
    let now = crate::clock::wall().unwrap();
    shelf.archive.write(&messages, now).unwrap();
    assert_eq!(holding(&shelf.archive, "a").empty(), 1);
    let mut reader = shelf.read(Begin::Start).await.unwrap();
    for _ in 0..3 {
        assert_eq!(reader.recv().await.unwrap().unwrap().missed, 0);
    }
}

#[tokio::test]
async fn an_order_is_answered_once_it_is_on_disk_and_what_goes_is_told_after_it() {
    let few = Retention { messages: 2, ..Retention::of(Duration::from_secs(3600)) };
    let network = network(few);
    let mut shelf = Shelf::new(&network);
    let id = fresh(&network, 7);
    assert!(shelf.keeper.keep(7, id.clone()));
    assert_eq!(shelf.keeper.answer().await, Answer::Kept(vec![7]));
    let read = shelf.archive.frames(id.topic(), &[id.id()], usize::MAX).unwrap();
    assert!(read[0].1.is_some(), "it is there when it is told");
    let mut kept = 1;
    (8..12).for_each(|seq| shelf.keep(seq));
    let mut forgotten = Vec::new();
    while forgotten.len() < 3 {
        match shelf.keeper.answer().await {
            Answer::Kept(requests) => kept += requests.len(),
            Answer::Forgotten(held) => forgotten.extend(held),
            answer @ (Answer::Unkept(_) | Answer::Late(_)) => panic!("{answer:?}"),
        }
        assert!(kept >= forgotten.len(), "nothing goes before it was there");
    }
    assert_eq!(kept, 5);
}

/// Has what the disk refused tried until there is an answer: the thread leaves a disk alone for a moment that has refused.
async fn tried_again(keeper: &mut Keeper) -> Answer {
    loop {
        keeper.clear();
        if let Some(answer) = keeper.answer().now_or_never() {
            return answer;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_full_disk_is_told_at_once_and_what_it_refused_is_kept_once_there_is_room() {
    let (network, flaky) = (hour(), Flaky::default());
    let mut shelf = Shelf::on(&flaky, &network);
    shelf.keep(0);
    assert_eq!(shelf.keeper.answer().await, Answer::Kept(vec![0]));
    flaky.fill(true);
    for seq in [1, 2] {
        shelf.keep(seq);
        assert_eq!(shelf.keeper.answer().await, Answer::Unkept(vec![seq]));
    }
    let refusal = shelf.keeper.condition().refusal.unwrap();
    assert!(refusal.contains("flaky") && refusal.contains("make room"), "{refusal}");
    flaky.fill(false);
    let mut late = Vec::new();
    while late.len() < 2 {
        match tried_again(&mut shelf.keeper).await {
            Answer::Late(held) => late.extend(held.iter().map(|held| held.slot.seq)),
            answer @ (Answer::Kept(_) | Answer::Unkept(_) | Answer::Forgotten(_)) => {
                panic!("{answer:?}")
            }
        }
    }
    assert_eq!(late, [1, 2], "each once");
    shelf.keep(3);
    assert_eq!(shelf.keeper.answer().await, Answer::Kept(vec![3]));
    assert_eq!(seqs(&shelf.archive, "a"), [0, 1, 2, 3]);
    let condition = shelf.keeper.condition();
    assert_eq!((condition.refusal, condition.lost), (None, 0));
}
