//! Questions and replies survive the way there and back, and no bytes make the decoder panic.

use bytes::Bytes;
use forsooth_protocol::{
    Fault,
    sync::{
        Bounds, Item, Stem,
        reconcile::{Ask, Question, Reply, Tell, answer},
    },
    wire::Frame,
};
use proptest::prelude::*;

use crate::{
    hostile,
    pair::{NETWORK, index, scattered, topic},
};

fn bounds() -> impl Strategy<Value = Bounds> {
    any::<(u64, u64)>().prop_map(|(from, until)| Bounds { from, until })
}

fn open(number: u32, bounds: Bounds) -> Question {
    let ask = Ask::Open { count: 3, root: [4; 16], tallies: None };
    Question { number, nonce: [5; 16], bounds, ask }
}

fn decoded(frame: &Frame) -> Result<Frame, Fault> {
    Frame::decode(&frame.encode(), &NETWORK)
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_mean_something(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        hostile::frames(&bytes);
        // As questions and replies, which random bytes hardly ever are.
        for tag in [0x92_u8, 0x9A] {
            let body = &bytes[..bytes.len().min(120)];
            let mut frame = vec![tag, 1, u8::try_from(body.len()).unwrap()];
            frame.extend_from_slice(body);
            hostile::frames(&frame);
        }
    }

    #[test]
    fn the_first_question_and_short_replies_come_back(number: u32, bounds in bounds()) {
        let root = [6; 16];
        let asks = [
            open(number, bounds).ask,
            Ask::Open { count: u64::from(number), root, tallies: Some(vec![9; 64]) },
            Ask::Symbols { first: number, len: number, root },
            Ask::Stems(vec![Stem::from_bytes([1; 16]), Stem::from_bytes([2; 16])]),
        ];
        for ask in asks {
            let question = Question { ask, ..open(number, bounds) };
            let question = Frame::Compare { topic: topic(), question };
            prop_assert_eq!(decoded(&question), Ok(question));
        }
        let tails = |of: &[usize]| Tell::Tails(of.iter().map(|count| vec![[7; 22]; *count]).collect());
        let tells = [Tell::Equal, Tell::Narrow(bounds), tails(&[]), tails(&[1, 1]), tails(&[0]), tails(&[2, 0, 1])];
        for tell in tells {
            let reply = Frame::Compared { topic: topic(), reply: Reply { number, tell }, is_behind: false };
            prop_assert_eq!(decoded(&reply), Ok(reply));
        }
    }

    #[test]
    fn damaged_frames_are_refused_or_mean_something_and_are_answered(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>(),
    ) {
        let all = index(scattered(300, 1));
        let reply = answer(&all, Bounds::ALL, &open(1, Bounds::ALL));
        let Tell::Ranges { claims, .. } = &reply.tell else { panic!("{reply:?}") };
        let question = Question { ask: Ask::Ranges(claims.clone()), ..open(2, Bounds::ALL) };
        for frame in [Frame::Compare { topic: topic(), question }, Frame::Compared { topic: topic(), reply, is_behind: false }] {
            let mut bytes = frame.encode().to_vec();
            for (place, flip) in &flips {
                let place = place.index(bytes.len());
                bytes[place] ^= flip;
            }
            if flips.len() % 2 == 0 {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(Frame::Compare { question, .. }) = Frame::decode(&Bytes::from(bytes), &NETWORK) {
                let reply = answer(&all, Bounds::ALL, &question);
                let reply = Frame::Compared { topic: topic(), reply, is_behind: false };
                prop_assert_eq!(decoded(&reply), Ok(reply));
            }
        }
    }
}

#[test]
fn whoever_lists_items_in_a_question_or_claims_a_range_twice_is_malformed() {
    let few = index(scattered(5, 1));
    let all = index(scattered(300, 1).chain([Item::new(1, [1; 32])]));
    let reply = answer(&few, Bounds::ALL, &open(1, Bounds::ALL));
    let Tell::Ranges { claims, .. } = reply.tell else { panic!("{reply:?}") };
    let asked = |claims| Question { ask: Ask::Ranges(claims), ..open(2, Bounds::ALL) };
    let fine = Frame::Compare { topic: topic(), question: asked(claims.clone()) };
    assert_eq!(decoded(&fine), Ok(fine));
    let twice = [claims.clone(), claims.clone()].concat();
    let listed = match answer(&all, Bounds::ALL, &asked(claims)).tell {
        Tell::Ranges { claims, .. } => claims,
        other => panic!("{other:?}"),
    };
    // 301 items are too many for a list, so ask about what few others have.
    assert_eq!(listed.len(), 1);
    let Tell::Ranges { claims: items, .. } = answer(
        &few,
        Bounds::ALL,
        &asked(vec![forsooth_protocol::sync::reconcile::Claim::Few {
            range: forsooth_protocol::sync::Prefix::ALL,
            names: Vec::new(),
        }]),
    )
    .tell
    else {
        panic!("no ranges")
    };
    for claims in [twice, items, Vec::new()] {
        let frame = Frame::Compare { topic: topic(), question: asked(claims) };
        assert_eq!(decoded(&frame), Err(Fault::Malformed));
    }
}

#[test]
fn stems_out_of_order_and_rests_of_too_many_are_malformed() {
    let stem = |n| Stem::from_bytes([n; 16]);
    let many = |count: u16| (0..count).map(|n| Stem::from_bytes(u128::from(n).to_be_bytes()));
    for (stems, fine) in [
        (vec![stem(1), stem(2)], true),
        (vec![stem(2), stem(1)], false),
        (vec![stem(1), stem(1)], false),
        (Vec::new(), false),
        (many(1024).collect(), true),
        (many(1025).collect(), false),
    ] {
        let question = Question { ask: Ask::Stems(stems), ..open(2, Bounds::ALL) };
        let frame = Frame::Compare { topic: topic(), question };
        assert_eq!(decoded(&frame), if fine { Ok(frame) } else { Err(Fault::Malformed) });
    }
    for (counts, fine) in
        [(vec![2; 9], true), (vec![3], false), (vec![1; 1024], true), (vec![1; 1025], false)]
    {
        let tails = counts.into_iter().map(|count| vec![[7; 22]; count]).collect();
        let reply = Reply { number: 1, tell: Tell::Tails(tails) };
        let frame = Frame::Compared { topic: topic(), reply, is_behind: false };
        assert_eq!(decoded(&frame), if fine { Ok(frame) } else { Err(Fault::Malformed) });
    }
}
