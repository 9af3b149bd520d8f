//! Small networks, in virtual time.

use std::{collections::BTreeSet, time::Duration};

use super::*;
use crate::world::Latency;

const MS: Duration = Duration::from_millis(1);

fn small(withholders: Option<Withholders>) -> Setting {
    Setting {
        nodes: 40,
        authors: 2,
        messages: 5,
        warm_up: 6,
        payload_bytes: 300,
        withholders,
        latency: Latency::Uniform { min: 10 * MS, max: 50 * MS },
        outbound: 8,
        seed: 3,
    }
}

fn withholders(share: f64, manner: Manner, since: Since) -> Option<Withholders> {
    Some(Withholders { share, manner, since })
}

fn measured(setting: &Setting) -> Measured {
    run(setting, |_| ()).unwrap().measured
}

#[test]
fn where_nobody_lies_everything_arrives_no_faster_than_a_flood_and_the_same_way_again() {
    let seen = measured(&small(None));
    assert_eq!((seen.published, seen.violations), (10, 0));
    assert_eq!((seen.delivery_ratio, seen.arrival_ratio), (Some(1.0), Some(1.0)));
    let [latency, accept, flood] =
        [seen.latency_ms, seen.accept_latency_ms, seen.flood_latency_ms].map(Option::unwrap);
    assert!(flood.p50 >= 10.0 && flood.p50 <= latency.p50, "{flood:?} {latency:?}");
    assert!(flood.p99 <= latency.p99 && flood.max <= latency.max, "{flood:?} {latency:?}");
    assert!(accept.p50 >= latency.p50 && accept.p99 >= latency.p99, "{accept:?} {latency:?}");
    let hops = seen.hops.unwrap();
    assert!(hops.p50 >= 1.0 && hops.max < 40.0, "{hops:?}");
    assert!(latency.max >= 10.0 * hops.max.min(2.0), "each hop takes 10 ms at least");
    assert!(seen.redundancy.unwrap() >= 0.0);
    assert!(seen.verifications_per_delivery.unwrap() >= 1.0);
    // A name has 8 bytes, and the payload comes with a header and a signature.
    let bytes = seen.bytes_per_vouch.unwrap();
    assert!((8.0..13.0).contains(&bytes), "{bytes}");
    assert!(seen.bytes_per_delivered_byte.unwrap() > 1.0);
    assert!(seen.flash.is_none());
    assert_eq!(measured(&small(None)), seen);
    let other = measured(&Setting { seed: 4, ..small(None) });
    assert_ne!(other.latency_ms, seen.latency_ms);
}

#[test]
fn silent_nodes_and_those_who_vouch_for_what_they_withhold_slow_it_down_and_stop_nothing() {
    for manner in [Manner::Silent, Manner::Vouching] {
        let seen = measured(&small(withholders(0.2, manner, Since::WarmUp)));
        assert_eq!(seen.setting.hostile, 8);
        assert_eq!(seen.arrival_ratio, Some(1.0), "{manner:?}");
        assert!(seen.latency_over_flood.unwrap() >= 1.0, "{manner:?}");
    }
}

#[test]
fn after_a_flash_there_is_a_minute_of_messages_and_the_network_finds_its_feet() {
    let setting = small(withholders(0.2, Manner::Silent, Since::Flash));
    let seen = measured(&setting);
    let flash = seen.flash.unwrap();
    assert_eq!(seen.published, setting.measured_messages());
    assert_eq!((flash.p99_ms.len(), flash.redundancy.len()), (319, 319));
    assert!(flash.first_message_everywhere_ms >= flash.p99_before_ms, "{flash:?}");
    assert!(flash.first_message_arrival_ratio > 0.0);
    assert!(flash.redundancy_after_60s.is_some());
}

#[test]
fn links_that_were_seen_to_come_and_go_are_those_that_both_ends_have() {
    let setting = small(None);
    let mut scene = Scene::new(&setting).unwrap();
    scene.link_up(&mut |_| ()).unwrap();
    let sheet = scene.sheet.lock();
    let seen = (0..40).flat_map(|node| sheet.linked(node).map(move |peer| (node, peer)));
    let seen: BTreeSet<_> = seen.collect();
    assert!(seen.len() >= 40 * 8, "{}", seen.len());
    assert_eq!(seen, scene.snapshot_links());
}

#[test]
fn copies_and_acceptances_are_those_that_the_recorder_counts_with_its_own_eyes() {
    let setting = small(None);
    let mut scene = Scene::new(&setting).unwrap();
    scene.link_up(&mut |_| ()).unwrap();
    scene.publish(&mut |_| ());
    let findings = scene.cast.recorder.findings();
    let sheet = scene.sheet.lock();
    let all = || sheet.warm_up().iter().chain(sheet.measured());
    assert_eq!(all().count(), 22);
    assert_eq!(all().map(|message| message.copies).sum::<u64>(), findings.copies);
    assert_eq!(all().map(|message| message.accepted as u64).sum::<u64>(), findings.accepted);
    assert_eq!((findings.accepted, findings.wanted), (22 * 39, 22 * 39));
    let copies: u64 = sheet.measured().iter().map(|message| message.copies).sum();
    drop(sheet);
    let redundancy = Measured::of(&scene).redundancy.unwrap();
    assert!((redundancy - (copies as f64 / (10.0 * 39.0) - 1.0)).abs() < 1e-9, "{redundancy}");
}

#[test]
fn what_makes_no_sense_is_refused_and_said_why() {
    let liars = |share| withholders(share, Manner::Silent, Since::WarmUp);
    let flash = withholders(0.1, Manner::Silent, Since::Flash);
    for (setting, hint) in [
        (Setting { nodes: 8, ..small(None) }, "more nodes than links"),
        (small(liars(0.5)), "below 0.5"),
        (Setting { authors: 33, ..small(liars(0.2)) }, "only 32 honest nodes"),
        (Setting { messages: 0, ..small(None) }, "at least one"),
        (Setting { authors: 0, ..small(None) }, "at least one"),
        (Setting { warm_up: 3, ..small(liars(0.2)) }, "pass on 8 messages"),
        (Setting { warm_up: 0, ..small(flash) }, "warm-up before it"),
        (Setting { messages: 2_000_000, ..small(None) }, "too many to keep"),
    ] {
        let error = run(&setting, |_| ()).unwrap_err().to_string();
        assert!(error.contains(hint), "{error}");
    }
    assert!(Setting { warm_up: 4, ..small(liars(0.2)) }.check().is_ok());
}
