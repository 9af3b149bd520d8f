//! Real nodes with something else than a core inside: a liar, and one that checks that each order ends in
//! the facts that its documentation names.

use std::collections::VecDeque;

use forsooth::{
    Judgement, Keypair, Multiaddr, Network, Node, NodeId, PublishError, Refusal, Submission,
    network::Policy,
};
use forsooth_protocol::{
    Address, Class, Core, Direction, Drain, Effect, Input, Participant, Snapshot, Time,
};
use tokio::sync::mpsc;

use crate::support::{local, mesh, network, next, soon, tcp, until};

/// Breaks the payload of each message that it sends.
struct Forger {
    core: Core,
    effects: VecDeque<Effect>,
}

impl Forger {
    fn hide(core: Core) -> Box<dyn Participant> {
        Box::new(Self { core, effects: VecDeque::new() })
    }
}

impl Participant for Forger {
    fn handle(&mut self, now: Time, input: Input) -> Drain<'_> {
        self.effects.extend(self.core.handle(now, input).map(|mut effect| {
            if let Effect::Send { class: Class::Payload | Class::Requested, frame, .. } =
                &mut effect
            {
                let mut broken = frame.to_vec();
                broken.last_mut().into_iter().for_each(|byte| *byte ^= 1);
                *frame = broken.into();
            }
            effect
        }));
        Drain::new(&mut self.effects)
    }

    fn deadline(&self) -> Option<Time> {
        self.core.deadline()
    }

    fn snapshot(&self) -> Snapshot {
        self.core.snapshot()
    }
}

#[tokio::test]
async fn a_forger_is_banned_also_after_a_restart_until_it_is_pardoned() {
    let folder = tempfile::tempdir().unwrap();
    let network = network("forged", Policy::Verified);
    let victim = || local(&network).keypair(Keypair::from_seed([1; 32])).data_dir(folder.path());
    let forger = || local(&network).keypair(Keypair::from_seed([2; 32])).participant(Forger::hide);
    let bob = victim().start().await.unwrap();
    let mut inbox = bob.subscribe("t").unwrap();
    let nodes = mesh(vec![bob, forger().start().await.unwrap()]).await;
    let [bob, liar] = <[Node; 2]>::try_from(nodes).unwrap();

    for n in 0..20 {
        liar.publish("t", format!("lie {n}")).await.unwrap();
    }
    let snapshot = until("the forger is banned and gone", &bob, |snapshot| {
        snapshot.core.bans.iter().any(|ban| ban.whom == liar.id().into())
            && snapshot.links.is_empty()
    })
    .await;
    assert!(snapshot.verification.rejected > 0);
    soon("bob shuts down", bob.shutdown()).await.unwrap();
    assert!(inbox.recv().await.is_none(), "a forgery was delivered");

    soon("the forger shuts down", liar.shutdown()).await.unwrap();

    let bob = victim().start().await.unwrap();
    let liar = forger().peers(bob.addresses()).start().await.unwrap();
    until("the forger is refused", &liar, |snapshot| snapshot.dials_failed > 0).await;
    assert_eq!(bob.snapshot().await.unwrap().core.bans.len(), 1);

    bob.pardon(liar.id()).await.unwrap();
    bob.add_peers(liar.addresses()).await.unwrap();
    soon("the forger is let in", bob.ready(1)).await.unwrap();
    assert!(bob.snapshot().await.unwrap().core.bans.is_empty());
}

#[tokio::test]
async fn one_liar_does_not_keep_the_truth_from_getting_through() {
    fn no_lies(submission: Submission) -> impl Future<Output = Judgement> + Send {
        let honest = submission.payload.starts_with(b"truth");
        std::future::ready(if honest { Judgement::Accept } else { Judgement::Reject })
    }
    let network = network("mixed", Policy::Vouched { k: 1, n: 3 });
    let mut nodes = vec![local(&network).participant(Forger::hide).start().await.unwrap()];
    for _ in 0..3 {
        nodes.push(local(&network).validator(no_lies).start().await.unwrap());
    }
    let nodes = mesh(nodes).await;
    let mut inboxes: Vec<_> = nodes[2..].iter().map(|node| node.subscribe("t").unwrap()).collect();
    for n in 0..10 {
        nodes[0].publish("t", format!("lie {n}")).await.unwrap();
        nodes[1].publish("t", format!("truth {n}")).await.unwrap();
    }
    for inbox in &mut inboxes {
        for _ in 0..10 {
            let message = next(inbox).await;
            assert_eq!(message.author, nodes[1].id());
            assert!(message.payload.starts_with(b"truth"));
        }
    }
}

/// What became of a dial.
#[derive(Debug, PartialEq, Eq)]
enum Fact {
    Connected(NodeId, Direction),
    DialFailed(NodeId),
}

/// Dials what it is told, reports what becomes of it, and does nothing else.
struct Dialler {
    orders: Vec<(NodeId, Address)>,
    again: bool,
    facts: mpsc::Sender<Fact>,
    effects: VecDeque<Effect>,
}

impl Participant for Dialler {
    fn handle(&mut self, _: Time, input: Input) -> Drain<'_> {
        if matches!(input, Input::Known(_)) {
            self.dial();
        }
        if let Input::Connected { peer, connection } = input {
            self.facts.try_send(Fact::Connected(peer, connection.direction)).unwrap();
            if std::mem::take(&mut self.again) {
                self.dial();
            }
        } else if let Input::DialFailed { peer } = input {
            self.facts.try_send(Fact::DialFailed(peer)).unwrap();
        }
        Drain::new(&mut self.effects)
    }

    fn deadline(&self) -> Option<Time> {
        None
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::default()
    }
}

impl Dialler {
    fn dial(&mut self) {
        let orders = self.orders.iter().cloned();
        self.effects.extend(orders.map(|(peer, address)| Effect::Dial { peer, address }));
    }
}

/// A node that dials these when it starts, and once more when the first is linked if `again`.
async fn dialler(
    network: &Network,
    orders: &[(NodeId, String)],
    again: bool,
) -> (Node, mpsc::Receiver<Fact>) {
    let (facts, reported) = mpsc::channel(100);
    let orders = orders.iter().map(|(peer, text)| (*peer, Address::new(text).unwrap())).collect();
    let make = move |_: Core| -> Box<dyn Participant> {
        Box::new(Dialler { orders, again, facts, effects: VecDeque::new() })
    };
    let node = Node::builder(network.clone()).participant(make).start().await.unwrap();
    (node, reported)
}

fn address_of(node: &Node) -> String {
    node.addresses().first().unwrap().to_string()
}

#[tokio::test]
async fn a_dial_that_leads_nowhere_fails_once() {
    let network = network("nowhere", Policy::Verified);
    let alice = local(&network).start().await.unwrap();
    let gone = local(&network).start().await.unwrap();
    let (gone_id, gone_address) = (gone.id(), address_of(&gone));
    soon("it shuts down", gone.shutdown()).await.unwrap();
    let nobody = |seed| Keypair::from_seed([seed; 32]).id();
    let without_peer: Multiaddr = alice.addresses()[0].iter().take(2).collect();

    let orders = [
        (gone_id, gone_address),
        (nobody(1), "no address".to_owned()),
        (nobody(2), without_peer.to_string()),
        (nobody(3), address_of(&alice)),
        (nobody(4), tcp().to_string()),
    ];
    let (node, mut facts) = dialler(&network, &orders, false).await;
    let mut failed = Vec::new();
    for _ in &orders {
        match soon("each dial fails", facts.recv()).await {
            Some(Fact::DialFailed(peer)) => failed.push(peer),
            other => panic!("{other:?}"),
        }
    }
    failed.sort_unstable();
    let mut ordered: Vec<_> = orders.iter().map(|(peer, _)| *peer).collect();
    ordered.sort_unstable();
    assert_eq!(failed, ordered);
    assert_eq!(node.snapshot().await.unwrap().dials_failed, 5);
    assert!(facts.try_recv().is_err());
}

#[tokio::test]
async fn a_dial_that_succeeds_does_not_fail_and_one_to_a_linked_peer_does_at_once() {
    let network = network("linked", Policy::Verified);
    let alice = local(&network).start().await.unwrap();
    let (node, mut facts) = dialler(&network, &[(alice.id(), address_of(&alice))], true).await;
    let mut next = async || soon("a fact is reported", facts.recv()).await;
    assert_eq!(next().await, Some(Fact::Connected(alice.id(), Direction::Outbound)));
    assert_eq!(next().await, Some(Fact::DialFailed(alice.id())));
    let snapshot = until("the link is shown", &node, |snapshot| snapshot.links.len() == 1).await;
    assert_eq!((snapshot.links[0].peer, snapshot.dials_failed), (alice.id(), 0));
}

#[tokio::test]
async fn a_key_that_runs_on_two_machines_is_noticed_and_the_older_publishes_no_more() {
    let network = network("twins", Policy::Verified);
    let [a, b] = <[Node; 2]>::try_from(
        mesh(vec![local(&network).start().await.unwrap(), local(&network).start().await.unwrap()])
            .await,
    )
    .unwrap();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [first, second] = [0, 1].map(|n| {
        let key = Keypair::from_seed([7; 32]);
        local(&network).keypair(key).data_dir(folders[n].path())
    });
    let first = first.peers(a.addresses()).start().await.unwrap();
    soon("the first is linked", first.ready(1)).await.unwrap();
    // It waits until the node has listened.
    soon("the first publishes", first.publish("t", "one")).await.unwrap();
    let second = second.peers(b.addresses()).start().await.unwrap();
    soon("the second is linked", second.ready(1)).await.unwrap();
    soon("the second publishes", second.publish("t", "two")).await.unwrap();

    let snapshot =
        until("the first notices", &first, |snapshot| snapshot.core.twin.is_some()).await;
    let twin = snapshot.core.twin.unwrap();
    assert!(twin.is_newer && twin.generation > snapshot.core.generation, "{twin:?}");
    let refused = first.publish("t", "three").await.unwrap_err();
    assert_eq!(refused, PublishError::Refused(Refusal::Twin));
}
