//! What an application sees of the members of its network.

use std::collections::BTreeSet;

use forsooth::{
    Events, MembersError, Network, Node,
    membership::{News, Preset, Settings, Tags},
    network::Policy,
};

use crate::support::{local, mesh, network, soon};

fn with_members(name: &str) -> Network {
    let settings = Settings::preset(Preset::Local);
    network(name, Policy::Verified).with_membership(Some(settings)).unwrap()
}

async fn town(name: &str, size: usize) -> Vec<Node> {
    let network = with_members(name);
    let mut nodes = Vec::new();
    for _ in 0..size {
        nodes.push(local(&network).start().await.unwrap());
    }
    let nodes = mesh(nodes).await;
    for node in &nodes {
        until_known(node, size - 1).await;
    }
    nodes
}

/// Waits until a node knows so many others.
async fn until_known(node: &Node, others: usize) {
    let knows = async {
        while node.members().await.unwrap().len() != others {
            tokio::task::yield_now().await;
        }
    };
    soon("all know all", knows).await;
}

async fn next_of(news: &mut Events<News>, wanted: impl Fn(&News) -> bool) -> News {
    let found = async {
        loop {
            let one = news.recv().await.expect("the node runs").expect("read in time");
            if wanted(&one) {
                return one;
            }
        }
    };
    soon("the news", found).await
}

#[tokio::test]
async fn all_know_all_and_what_they_say_of_themselves() {
    let nodes = town("members", 5).await;
    let members = nodes[0].members().await.unwrap();
    let ids: BTreeSet<_> = members.iter().map(|member| member.record.content().id).collect();
    assert_eq!(ids, nodes[1..].iter().map(Node::id).collect());

    let tags = Tags::new([("role".to_owned(), "relay".to_owned())].into()).unwrap();
    nodes[1].set_tags(tags.clone()).await.unwrap();
    let seen = async {
        loop {
            let members = nodes[4].members().await.unwrap();
            let of = members.iter().find(|member| member.record.content().id == nodes[1].id());
            if of.unwrap().record.content().tags == tags {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    soon("the tag is known", seen).await;
    let own = nodes[1].snapshot().await.unwrap().core.membership.unwrap().own.unwrap();
    assert_eq!(own.content().tags, tags);
}

#[tokio::test]
async fn who_shuts_down_has_left_and_is_not_accused() {
    let mut nodes = town("leaving", 5).await;
    let mut news = nodes[0].member_news();
    let leaver = nodes.pop().unwrap();
    let id = leaver.id();
    leaver.shutdown().await.unwrap();
    let first = next_of(&mut news, |one| {
        matches!(one, News::Left { .. } | News::Suspected { .. } | News::Died { .. })
    });
    assert!(matches!(first.await, News::Left { peer } if peer == id));
    until_known(&nodes[0], 3).await;
    assert_eq!(nodes[0].snapshot().await.unwrap().member_changes.left, 1);
}

#[tokio::test]
async fn a_network_without_membership_says_so() {
    let node = local(&network("without", Policy::Verified)).start().await.unwrap();
    assert_eq!(node.members().await.unwrap_err(), MembersError::NoMembership);
    assert_eq!(node.set_tags(Tags::default()).await.unwrap_err(), MembersError::NoMembership);
    assert_eq!(node.snapshot().await.unwrap().core.membership, None);
    let mut news = node.member_news();
    node.shutdown().await.unwrap();
    assert!(news.recv().await.is_none(), "the stream ends with the node");
}
