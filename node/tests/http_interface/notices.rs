//! What a subscription is told beside its messages, and what it may ask for.

use std::collections::VecDeque;

use forsooth_protocol::{
    Class, Core, Drain, Effect, Input, Participant, Publication, Snapshot, Time, wire::Frame,
};
use serde_json::json;

use super::stage::Stage;

/// Says another thing after each that it publishes, in the same place.
struct TwoFaced {
    core: Core,
    effects: VecDeque<Effect>,
}

impl TwoFaced {
    fn hide(core: Core) -> Box<dyn Participant> {
        Box::new(Self { core, effects: VecDeque::new() })
    }

    /// The other thing, if this is one of ours.
    fn other(&self, frame: &[u8]) -> Option<Publication> {
        let network = self.core.network();
        let Ok(Frame::Publication(said)) = Frame::decode(&frame.to_vec().into(), network) else {
            return None;
        };
        let header = *said.header();
        let (slot, keypair) = (header.slot, self.core.keypair());
        Some(Publication::sign(
            slot,
            header.timestamp,
            header.lifetime,
            "no".into(),
            keypair,
            network,
        ))
    }
}

impl Participant for TwoFaced {
    fn handle(&mut self, now: Time, input: Input) -> Drain<'_> {
        let ordered: Vec<_> = self.core.handle(now, input).collect();
        for effect in ordered {
            let mut more = None;
            if let Effect::Send { to, class: Class::Payload, frame } = &effect {
                let (to, class) = (*to, Class::Payload);
                let send =
                    |other: Publication| Effect::Send { to, class, frame: other.frame().clone() };
                more = self.other(frame).map(send);
            }
            self.effects.push_back(effect);
            self.effects.extend(more);
        }
        Drain::new(&mut self.effects)
    }

    fn deadline(&self) -> Option<Time> {
        self.core.deadline()
    }

    fn snapshot(&self) -> Snapshot {
        self.core.snapshot()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_turns_out_contested_is_reported_after_it() {
    let stage = Stage::new().await;
    let liar = stage.friend_with(|builder| builder.participant(TwoFaced::hide)).await;
    let mut lines = stage.subscribe("open").await;
    let receipt = liar.publish("open", "yes").await.unwrap();
    let message = lines.event().await.unwrap();
    assert_eq!((message.name.as_str(), &message.data["text"]), ("message", &json!("yes")));
    let contested = lines.event().await.unwrap();
    assert_eq!(contested.name, "contested");
    assert_eq!(contested.data["id"], receipt.id.to_string());
    assert_eq!(contested.data["author"], liar.id().to_string());
    let metrics = stage.get("/metrics").await.body;
    assert!(metrics.contains("forsooth_messages_contested_total{topic=\"open\"} 1"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_too_few_vouch_for_is_reported_with_the_reason() {
    let stage = Stage::new().await;
    let friend = stage.friend().await;
    let mut lines = stage.subscribe("brief").await;
    let mut strict = stage.subscribe_by("brief", "?policy=2%2F3").await;
    let receipt = friend.publish("brief", "hi").await.unwrap();
    assert_eq!(lines.event().await.unwrap().name, "message");
    let event = strict.event().await.unwrap();
    let expected = json!({
        "id": receipt.id.to_string(), "reason": "too_few_vouches", "vouched": 0, "threshold": 2,
    });
    assert_eq!((event.name.as_str(), event.data), ("unaccepted", expected));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_may_ask_for_more_and_never_for_less() {
    let stage = Stage::new().await;
    for (policy, code) in [
        ("1/3", "policy_too_weak"),
        ("verified", "policy_too_weak"),
        ("2/4", "policy_too_weak"),
        ("2", "bad_request"),
    ] {
        let answer = stage.get(&format!("/v1/topics/vouched/messages?policy={policy}")).await;
        assert_eq!((answer.status(), &answer.json()["error"]["code"]), (400, &json!(code)));
    }
    drop(stage.subscribe_by("vouched", "?policy=3/3,settle=1s").await);
    stage.end().await;
}
