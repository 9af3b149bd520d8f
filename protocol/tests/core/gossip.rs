//! Broadcast: what is published here, and that nothing depends on chance.

mod repair;
mod trees;

use std::time::Duration;

use forsooth_protocol::{
    Class, Connection, Defences, Direction, Effect, Input, Lane, Participant as _, Publication,
    Receipt, Refusal, Safeguard, Time,
    wire::{Frame, Intent},
};

use crate::rig::{KEY, Rig, delivered, greeting, hello, key, network, pushed_to, sent, vouched_to};

fn publish(
    rig: &mut Rig,
    payload: &'static str,
    lifetime: Option<Duration>,
) -> (Result<Receipt, Refusal>, Vec<Effect>) {
    let topic = rig.open();
    let effects =
        rig.input(Input::Publish { request: 7, topic, payload: payload.into(), lifetime });
    let outcome = effects.iter().find_map(|effect| match effect {
        Effect::Published { request: 7, outcome } => Some(*outcome),
        _ => None,
    });
    (outcome.unwrap(), effects)
}

#[test]
fn nobody_here_means_kept_and_sent_to_the_first_who_comes() {
    let mut rig = Rig::new();
    let (receipt, _) = publish(&mut rig, "patience", None);
    let receipt = receipt.unwrap();
    assert_eq!((receipt.sent_to, receipt.queued), (0, true));
    rig.log.clear();
    let first = rig.inbound(1);
    assert_eq!(pushed_to(&rig, &rig.log.clone(), first), [receipt.id]);
    rig.log.clear();
    let second = rig.inbound(2);
    assert!(pushed_to(&rig, &rig.log.clone(), second).is_empty());
    assert_eq!(vouched_to(&rig, &rig.log.clone(), second), [KEY.name(&receipt.id)]);
}

#[test]
fn a_queued_message_is_forgotten_after_its_lifetime() {
    let mut rig = Rig::new();
    let (receipt, _) = publish(&mut rig, "short", Some(Duration::from_secs(1)));
    assert!(receipt.unwrap().queued);
    rig.wait(Duration::from_secs(15));
    rig.log.clear();
    let peer = rig.inbound(1);
    assert!(pushed_to(&rig, &rig.log.clone(), peer).is_empty());
}

#[test]
fn publishing_is_refused_with_a_reason_and_takes_no_slot() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    let topic = rig.open();
    let max = rig.network.topic(topic).payload_bytes_max;
    let payload = vec![0; max as usize + 1].into();
    let effects = rig.input(Input::Publish { request: 7, topic, payload, lifetime: None });
    let oversize = Refusal::Oversize { bytes: max as usize + 1, max };
    assert!(
        matches!(effects.as_slice(), [Effect::Published { outcome: Err(r), .. }] if *r == oversize)
    );
    for lifetime in [Duration::ZERO, Duration::from_secs(121)] {
        assert!(matches!(publish(&mut rig, "x", Some(lifetime)).0, Err(Refusal::Lifetime { .. })));
    }
    let (receipt, effects) = publish(&mut rig, "first", None);
    let frames = sent(&rig, &effects, peer);
    assert!(
        matches!(frames.as_slice(), [Frame::Publication(m)] if m.header().slot.seq == 0 && m.id() == receipt.unwrap().id)
    );
}

#[test]
fn our_own_rate_is_kept_before_others_have_to() {
    let mut rig = Rig::new();
    let topic = rig.network.topic(rig.open()).clone();
    for _ in 0..topic.burst {
        publish(&mut rig, "x", None).0.unwrap();
    }
    let Err(Refusal::OverRate { retry_after }) = publish(&mut rig, "x", None).0 else {
        panic!("not refused")
    };
    rig.wait(retry_after);
    publish(&mut rig, "x", None).0.unwrap();
    // A core that keeps the rate never fills the window that others judge it by.
    let mut published = u64::from(topic.burst) + 1;
    while rig.now < Time::from_duration(Duration::from_secs(30)) {
        rig.wait(Duration::from_millis(50));
        published += u64::from(publish(&mut rig, "x", None).0.is_ok());
    }
    assert!(published > 300);
}

#[test]
fn the_same_inputs_give_the_same_effects() {
    let run = || {
        let mut rig = Rig::new();
        for tag in 1..20 {
            rig.witness(tag);
        }
        for seq in 0..40 {
            let message = rig.message(30, rig.news(), seq, "hi");
            rig.vouch(key((seq % 19) as u8 + 1).id(), &message);
            rig.wait(Duration::from_millis(170));
        }
        format!("{:?}", rig.log)
    };
    assert_eq!(run(), run());
}
