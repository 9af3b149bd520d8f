//! The fuzz targets of `protocol/fuzz/`, for some seconds and on the same inputs each time.

use forsooth_protocol::{
    sync::{
        Bounds,
        reconcile::{Limits, Method, answer},
    },
    wire::Frame,
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed, TestRunner},
};

use crate::{
    hostile,
    pair::{compare_with, index, scattered, topic},
};

fn run(cases: u32, inputs: impl Strategy<Value = Vec<u8>>, target: fn(&[u8])) {
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let ran = runner.run(&inputs, |bytes| {
        target(&bytes);
        Ok(())
    });
    ran.expect("no input is more than a comparison can bear");
}

/// The frames of honest comparisons by symbols and by ranges.
fn corpus() -> Vec<Vec<u8>> {
    let (here, there) = (index(scattered(280, 1)), index(scattered(300, 1).skip(20)));
    let mut frames = Vec::new();
    for method in [Method::Auto, Method::Merkle] {
        let limits = Limits { method, ..Limits::default() };
        let outcome = compare_with(&here, Bounds::ALL, limits, |question| {
            let reply = answer(&there, Bounds::ALL, question);
            let asked = Frame::Compare { topic: topic(), question: question.clone() };
            let told = Frame::Compared { topic: topic(), reply: reply.clone(), is_behind: false };
            frames.extend([asked, told].map(|frame| frame.encode().to_vec()));
            reply
        });
        assert!(outcome.result.is_ok());
    }
    frames
}

/// One of those with bytes changed, left out, repeated, or cut off.
fn damaged_frames() -> impl Strategy<Value = Vec<u8>> {
    let places = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let change = (places, 0..5_u8, any::<u8>());
    (prop::sample::select(corpus()), prop::collection::vec(change, 1..6)).prop_map(
        |(mut frame, changes)| {
            for ((one, other), how, by) in changes {
                if frame.is_empty() {
                    break;
                }
                let (one, other) = (one.index(frame.len()), other.index(frame.len()));
                let (from, until) = (one.min(other), one.max(other));
                match how {
                    0 => frame[one] ^= by,
                    // Where lengths and forms are.
                    1 => {
                        let head = frame.len().min(48);
                        frame[one % head] ^= by;
                    }
                    2 => frame.truncate(until),
                    3 => _ = frame.drain(from..until),
                    _ => {
                        let part = frame[from..until].to_vec();
                        frame.splice(until..until, part);
                    }
                }
            }
            frame
        },
    )
}

#[test]
fn frames_of_any_bytes_are_refused_or_mean_what_they_are_written_as() {
    run(4_000, damaged_frames(), hostile::frames);
    run(4_000, prop::collection::vec(any::<u8>(), 0..400), hostile::frames);
}

#[test]
fn spoilt_sketches_end_within_their_budget_and_are_believed_only_where_they_are_true() {
    run(1_000, prop::collection::vec(any::<u8>(), 0..120), hostile::sketches);
}

#[test]
fn damaged_ranges_end_within_their_budget() {
    run(1_000, prop::collection::vec(any::<u8>(), 0..120), hostile::ranges);
}
