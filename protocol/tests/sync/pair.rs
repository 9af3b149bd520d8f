//! Two sides that compare their sets, over frames.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::LazyLock,
};

use forsooth_protocol::{
    Network, TopicId,
    network::{Defence, Kind, Policy, Topic},
    sync::{
        Bounds, Index, Item, SketchKey,
        reconcile::{Difference, Failure, Limits, Opener, Question, Reply, Step, answer},
    },
    wire::Frame,
};

/// Comparisons that take more messages than this never end.
const MESSAGES_MAX: usize = 20_000;

/// How a comparison went.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) result: Result<Difference, Failure>,
    /// Bytes of all frames.
    pub(crate) bytes: usize,
    pub(crate) rounds: u32,
}

/// Compares with a side that answers as it likes.
pub(crate) fn compare_with(
    own: &Index,
    bounds: Bounds,
    limits: Limits,
    mut other: impl FnMut(&Question) -> Reply,
) -> Outcome {
    let (mut opener, first) = Opener::open(own, bounds, limits, [7; 16]);
    let mut waiting = VecDeque::from([first]);
    let mut bytes = 0;
    for _ in 0..MESSAGES_MAX {
        let question =
            sent(waiting.pop_front().expect("an opener that waits has asked"), &mut bytes);
        let reply = told(other(&question), &mut bytes);
        let result = match opener.hear(&reply, own) {
            Step::Ask(questions) => {
                waiting.extend(questions);
                continue;
            }
            Step::Done(difference) => Ok(difference),
            Step::Failed(failure) => Err(failure),
        };
        return Outcome { result, bytes, rounds: opener.rounds() };
    }
    panic!("a comparison without end");
}

/// Compares two sets.
pub(crate) fn compare(own: &Index, other: &Index, bounds: Bounds, limits: Limits) -> Outcome {
    compare_with(own, bounds, limits, |question| {
        let reply = answer(other, Bounds::ALL, question);
        let frame = Frame::Compared { topic: topic(), reply: reply.clone(), is_behind: false };
        assert_eq!(passed(&frame, &mut 0), frame);
        reply
    })
}

pub(crate) static NETWORK: LazyLock<Network> = LazyLock::new(|| {
    let topics = vec![Topic::new("news", Policy::Verified)];
    Network::new("sync", Kind::Local, topics, Defence::recommended(Kind::Local)).unwrap()
});

pub(crate) fn topic() -> TopicId {
    NETWORK.topic_id("news").unwrap()
}

/// What arrives of a question; its frame fits.
fn sent(question: Question, bytes: &mut usize) -> Question {
    match passed(&Frame::Compare { topic: topic(), question }, bytes) {
        Frame::Compare { question, .. } => question,
        other => panic!("{other:?}"),
    }
}

/// A liar's reply that no frame can carry is heard all the same.
fn told(reply: Reply, bytes: &mut usize) -> Reply {
    let encoded =
        Frame::Compared { topic: topic(), reply: reply.clone(), is_behind: false }.encode();
    *bytes += encoded.len();
    match Frame::decode(&encoded, &NETWORK) {
        Ok(Frame::Compared { reply, .. }) => reply,
        _ => reply,
    }
}

fn passed(frame: &Frame, bytes: &mut usize) -> Frame {
    let encoded = frame.encode();
    assert!(encoded.len() <= forsooth_protocol::wire::CONTROL_FRAME_BYTES_MAX);
    *bytes += encoded.len();
    Frame::decode(&encoded, &NETWORK).expect("an honest frame")
}

/// The key of all sketches here.
pub(crate) const KEY: SketchKey = SketchKey::from_bytes([1; 16]);

/// The set of these items.
pub(crate) fn index(items: impl IntoIterator<Item = Item>) -> Index {
    items.into_iter().collect::<Index>().keyed(KEY)
}

/// What is in the first and not in the second.
pub(crate) fn missing(there: &Index, here: &Index) -> BTreeSet<Item> {
    let mut found = BTreeSet::new();
    there.for_each(|item| {
        if !here.contains(item) {
            found.insert(*item);
        }
    });
    found
}

/// Items all over a day, in milliseconds.
pub(crate) fn scattered(count: u64, salt: u64) -> impl Iterator<Item = Item> {
    (0..count).map(move |n| {
        let digest = forsooth_crypto::Digest::of(
            forsooth_crypto::Domain::Trace,
            &[n.to_le_bytes(), salt.to_le_bytes()].concat(),
        );
        let bytes = *digest.as_bytes();
        let place = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        Item::new(1_700_000_000_000 + place % 86_400_000, bytes)
    })
}
