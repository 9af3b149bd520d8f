//! Plain parts of membership, each by itself: the court, the table, and what is told.

use std::sync::Arc;

use bytes::Bytes;
use forsooth_crypto::{Keypair, Untrusted, verify};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;

use super::{
    court::PER_CASE_MAX,
    rumours::RUMOURS_MAX,
    signed::{Content, Signed},
    table::{Entry, News as Said, Why},
    *,
};
use crate::{
    Address,
    group::Group,
    network::{Defence, Kind, Policy, Topic},
};

const RULES: Rules = Rules {
    t: 3,
    rebut_min: Duration::from_secs(4),
    rebut_max: Duration::from_secs(8),
    lifetime: Duration::from_secs(40),
};
const EPOCH: Epoch = Epoch { generation: 7, incarnation: 2 };

fn at(seconds: u64) -> Time {
    Time::from_duration(Duration::from_secs(seconds))
}

fn key(tag: u16) -> Keypair {
    let mut seed = [3; 32];
    seed[..2].copy_from_slice(&tag.to_le_bytes());
    Keypair::from_seed(seed)
}

fn network() -> Network {
    let topics = vec![Topic::new("t", Policy::Verified)];
    Network::new("n", Kind::Local, topics, Defence::recommended(Kind::Local)).unwrap()
}

fn table() -> Table {
    Table::new(SketchKey::of(&network()))
}

fn signed<T: Content + core::fmt::Debug>(content: T, by: u16) -> Verified<Signed<T>> {
    verify(Untrusted::new(Signed::sign(content, &key(by), &network()))).unwrap()
}

fn accusation(by: u16, subject: u16, epoch: Epoch) -> Verified<SignedAccusation> {
    let (accuser, subject) = (key(by).id(), key(subject).id());
    let time = Timestamp::from_millis(0);
    signed(Accusation { accuser, subject, epoch, ring: 0, time }, by)
}

fn record(of: u16, epoch: Epoch, version: u64, tag: &str) -> Verified<SignedMember> {
    let tags = Tags::new([("k".to_owned(), tag.to_owned())].into()).unwrap();
    let addresses = vec![Address::new("/ip4/127.0.0.1/tcp/1").unwrap()];
    let (id, time, work) = (key(of).id(), Timestamp::from_millis(0), Bytes::new());
    signed(Member { id, addresses, epoch, version, time, nonce: 1, left: false, tags, work }, of)
}

fn entry(record: Verified<SignedMember>) -> Entry {
    Entry { record, since: Timestamp::default(), changed: Time::ZERO }
}

/// A court in which so many accuse member 0, each of a group of its own, one a second.
fn court(accusers: u16) -> Court {
    let mut court = Court::new(RULES);
    for by in 1..=accusers {
        let group = Group::Peer(key(by).id());
        court.hear(accusation(by, 0, EPOCH), group, at(by.into()));
    }
    court
}

#[test]
fn as_many_as_are_needed_have_to_wait_for_the_whole_time_to_rebut() {
    let mut court = court(4);
    assert!(court.decide(at(11)).is_empty());
    let certificates = court.decide(at(12));
    assert_eq!(certificates.len(), 1);
    assert_eq!(certificates[0].accusations.len(), 4);
    assert_eq!((certificates[0].subject, certificates[0].epoch), (key(0).id(), EPOCH));
    assert_eq!(court.len(), 0);
}

#[test]
fn more_shorten_it_and_fewer_are_never_enough() {
    let mut many = court(7);
    assert_eq!(many.decide(at(8)).len(), 1, "the fourth was heard 4 s ago");
    let mut few = court(3);
    assert!(few.begins_to_suspect(&key(0).id()));
    assert!(!few.begins_to_suspect(&key(0).id()), "said once");
    assert!((0..100).all(|second| few.decide(at(second)).is_empty()));
    assert_eq!(few.len(), 0, "accusations expire");
}

#[test]
fn accusers_of_one_group_are_one() {
    let mut court = Court::new(RULES);
    for by in 1..20 {
        court.hear(accusation(by, 0, EPOCH), Group::Unknown, at(0));
    }
    assert_eq!(court.count(&key(0).id()), 1);
    assert!(court.decide(at(30)).is_empty());
}

#[test]
fn a_higher_epoch_ends_a_case_and_a_lower_one_adds_nothing() {
    let mut court = court(4);
    let later = Epoch { incarnation: 3, ..EPOCH };
    assert!(court.hear(accusation(9, 0, later), Group::Unknown, at(5)));
    assert!(!court.hear(accusation(1, 0, EPOCH), Group::Unknown, at(5)));
    assert!(court.decide(at(20)).is_empty());
}

#[test]
fn who_was_rebutted_twice_is_not_heard_about_that_member_until_the_next_shift() {
    let mut court = Court::new(RULES);
    let (accuser, subject) = (key(1).id(), key(0).id());
    for incarnation in 0..2 {
        let epoch = Epoch { incarnation, ..EPOCH };
        assert!(court.hears(&accuser, &subject, epoch, at(0)));
        court.hear(accusation(1, 0, epoch), Group::Unknown, at(0));
        court.acquit(&subject);
    }
    assert!(!court.hears(&accuser, &subject, EPOCH, at(0)));
    assert!(court.hears(&accuser, &key(2).id(), EPOCH, at(0)));
    court.forgive();
    assert!(court.hears(&accuser, &subject, EPOCH, at(0)));
}

#[test]
fn those_who_die_together_are_certified_together_and_nobody_waits_long_for_others() {
    let mut court = Court::new(RULES);
    let accuse = |court: &mut Court, of, by: core::ops::Range<u16>, now| {
        for by in by {
            let group = Group::Peer(key(by).id());
            court.hear(accusation(by, of, EPOCH), group, at(now));
        }
    };
    accuse(&mut court, 0, 50..54, 0);
    accuse(&mut court, 1, 60..64, 3);
    // Suspected, and no more: two of the four that are needed.
    accuse(&mut court, 2, 70..72, 3);
    assert!(court.decide(at(8)).is_empty(), "one is due, and two may follow");
    assert!(court.decide(at(11)).is_empty());
    assert_eq!(court.decide(at(12)).len(), 2, "the third is not waited for any longer");
    accuse(&mut court, 2, 72..74, 13);
    assert!(court.decide(at(20)).is_empty());
    assert_eq!(court.decide(at(21)).len(), 1, "alone, nobody is waited for");
}

#[test]
fn what_one_says_again_and_again_is_heard_ever_more_rarely() {
    let mut court = Court::new(RULES);
    let (accuser, subject) = (key(1).id(), key(0).id());
    let heard = (0..600u64).filter(|second| {
        let hears = court.hears(&accuser, &subject, EPOCH, at(*second));
        if hears {
            court.hear(accusation(1, 0, EPOCH), Group::Peer(accuser), at(*second));
            court.decide(at(*second));
        }
        hears
    });
    assert_eq!(heard.collect::<Vec<_>>(), [0, 21, 62, 143, 304]);
    let later = Epoch { incarnation: 3, ..EPOCH };
    assert!(court.hears(&accuser, &subject, later, at(305)), "it may have died since");
}

#[test]
fn who_accuses_many_in_vain_is_heard_only_about_those_who_are_suspected() {
    let mut court = Court::new(RULES);
    let liar = key(50).id();
    let hears = |court: &Court, of: u16, now| court.hears(&liar, &key(of).id(), EPOCH, at(now));
    for of in 1..=3 {
        assert!(hears(&court, of, 0));
        court.hear(accusation(50, of, EPOCH), Group::Peer(liar), at(0));
    }
    assert!(hears(&court, 4, 8), "others may yet say the same");
    assert!(!hears(&court, 4, 9));
    for by in 60..62 {
        court.hear(accusation(by, 4, EPOCH), Group::Peer(key(by).id()), at(9));
        court.begins_to_suspect(&key(4).id());
    }
    assert!(hears(&court, 4, 9));
    court.forgive();
    assert!(hears(&court, 5, 9));
}

proptest! {
    #[test]
    fn when_something_is_due_is_remembered_as_the_cases_say(
        steps in prop::collection::vec((0u8..12, 0u16..3, 10u16..22, 0u64..3), 1..80),
    ) {
        let mut court = Court::new(RULES);
        let mut now = 0;
        for (step, of, by, seconds) in steps {
            now += seconds;
            let epoch = Epoch { incarnation: now / 40, ..EPOCH };
            match step {
                0 => drop(court.doubted(at(now))),
                1 => drop(court.decide(at(now))),
                2 if seconds == 0 => {
                    court.acquit(&key(of).id());
                }
                3 => court.govern(Rules { t: u8::try_from(by / 4).unwrap_or(0), ..RULES }),
                _ => {
                    let group = Group::Peer(key(by / 2).id());
                    court.hear(accusation(by, of, epoch), group, at(now));
                }
            }
            prop_assert!(court.is_consistent());
            let due = court.deadline().is_some_and(|due| due <= at(now));
            if due {
                court.doubted(at(now));
                court.decide(at(now));
                prop_assert!(court.deadline().is_none_or(|due| at(now) < due), "done once");
            }
        }
    }
}

#[test]
fn others_are_asked_early_in_a_case_and_once_more_before_it_is_certified() {
    let mut court = court(4);
    let asked = |court: &mut Court, second| court.doubted(at(second)).len();
    assert_eq!([3, 4, 5, 10].map(|second| asked(&mut court, second)), [0, 1, 0, 0]);
    assert_eq!(court.deadline(), Some(at(11)), "a second before it is due");
    assert_eq!([11, 12].map(|second| asked(&mut court, second)), [1, 0]);
    assert_eq!(court.decide(at(12)).len(), 1);
}

#[test]
fn who_accuses_more_than_it_may_takes_its_oldest_word_back() {
    let mut court = Court::new(RULES);
    for by in 1..=4 {
        court.hear(accusation(by, 0, EPOCH), Group::Peer(key(by).id()), at(0));
    }
    for of in 100..164 {
        court.hear(accusation(1, of, EPOCH), Group::Unknown, at(0));
    }
    assert!(court.is_consistent());
    assert!(court.decide(at(20)).is_empty(), "three are left of four");
}

#[test]
fn a_case_has_room_for_so_many_accusers() {
    let mut court = Court::new(RULES);
    let heard = (1..100u16).filter(|by| {
        let hears = court.hears(&key(*by).id(), &key(0).id(), EPOCH, at(0));
        hears && court.hear(accusation(*by, 0, EPOCH), Group::Unknown, at(0))
    });
    assert_eq!(heard.count(), PER_CASE_MAX);
}

#[test]
fn the_higher_epoch_wins_then_the_higher_version_and_two_of_one_are_a_conflict() {
    let mut table = table();
    table.insert(entry(record(1, EPOCH, 4, "a")), key(9).id());
    let news = |epoch, version, tag: &str| table.news(&record(1, epoch, version, tag), at(0));
    let next = Epoch { incarnation: 3, ..EPOCH };
    let reborn = Epoch { generation: 8, incarnation: 0 };
    assert_eq!(news(EPOCH, 4, "a"), Said::Known);
    assert_eq!(news(EPOCH, 4, "b"), Said::Conflict);
    assert_eq!(news(EPOCH, 3, "b"), Said::Older);
    assert_eq!([news(EPOCH, 5, "b"), news(next, 0, "b"), news(reborn, 0, "b")], [Said::Newer; 3]);
    assert_eq!(table.news(&record(2, EPOCH, 0, "a"), at(0)), Said::Stranger);
}

#[test]
fn nothing_old_opens_a_grave_and_who_dies_often_waits() {
    let mut table = table();
    let died = |epoch| {
        let subject = key(1).id();
        Why::Died(Certificate { subject, epoch, accusations: Vec::new() })
    };
    let life = |incarnation| Epoch { incarnation, ..EPOCH };
    table.insert(entry(record(1, life(0), 0, "")), key(9).id());
    table.bury(key(1).id(), life(0), died(life(0)), at(0));
    assert_eq!(table.len(), 0);
    assert_eq!(table.news(&record(1, life(0), 99, ""), at(0)), Said::Buried);
    let news = |table: &Table, now| table.news(&record(1, life(2), 0, ""), at(now));
    assert_eq!([news(&table, 299), news(&table, 300)], [Said::Held, Said::Stranger]);
    table.bury(key(1).id(), life(1), died(life(1)), at(300));
    assert_eq!([news(&table, 899), news(&table, 900)], [Said::Held, Said::Stranger]);
    let reborn = Epoch { generation: 8, incarnation: 0 };
    assert_eq!(table.news(&record(1, reborn, 0, ""), at(0)), Said::Stranger);
    table.reap(at(86_700));
    assert_eq!(table.graves(), 0);
}

#[test]
fn who_died_with_a_tenth_of_the_others_comes_back_at_once() {
    for (dead, says) in [(3, Said::Held), (4, Said::Stranger)] {
        let mut table = table();
        (0..20).for_each(|of| drop(table.insert(entry(record(of, EPOCH, 0, "")), key(99).id())));
        for of in 0..dead {
            let subject = key(of).id();
            let certificate = Certificate { subject, epoch: EPOCH, accusations: Vec::new() };
            table.bury(subject, EPOCH, Why::Died(certificate), at(u64::from(of) * 20));
        }
        let next = Epoch { incarnation: 3, ..EPOCH };
        assert_eq!(table.news(&record(0, next, 0, ""), at(80)), says, "{dead} dead");
    }
}

#[test]
fn where_members_stand_on_rings_is_noted_as_they_come_and_go() {
    let config = Config { me: key(99).id(), network: Arc::new(network()), generation: 1 };
    let mut membership = Membership::new(config, Settings::preset(Preset::Lan));
    let (mut effects, mut signals) = (VecDeque::new(), VecDeque::new());
    let mut cx = Cx {
        now: Time::ZERO,
        wall: Timestamp::from_millis(7000),
        rng: &mut ChaCha8Rng::seed_from_u64(1),
        effects: &mut effects,
        signals: &mut signals,
    };
    let assert_noted = |membership: &Membership| {
        let Membership { rings, rings_before, table, .. } = membership;
        for noted in [rings, rings_before] {
            let mut anew = Rings::new(network().digest(), noted.shift(), 1);
            anew.survey(table.iter().map(|(id, _)| id));
            assert_eq!(*noted, anew);
        }
    };
    let Membership { rings, rings_before, table, .. } = &mut membership;
    (0..9).for_each(|of| drop(table.insert(entry(record(of, EPOCH, 0, "")), key(9).id())));
    for rings in [rings, rings_before] {
        rings.survey(table.iter().map(|(id, _)| id));
    }
    for of in 5..20 {
        membership.learn(record(of, EPOCH, 1, ""), key(9).id(), &mut cx);
        assert_noted(&membership);
    }
    // One leaves, and one is evicted for two records of one version.
    let addresses = vec![Address::new("/ip4/127.0.0.1/tcp/1").unwrap()];
    let (id, time, tags) = (key(5).id(), Timestamp::from_millis(0), Tags::default());
    let (epoch, version, nonce, left, work) = (EPOCH, 2, 1, true, Bytes::new());
    let leaves = Member { id, addresses, epoch, version, time, nonce, left, tags, work };
    membership.learn(signed(leaves, 5), key(9).id(), &mut cx);
    membership.learn(record(6, EPOCH, 1, "other"), key(9).id(), &mut cx);
    assert_eq!(membership.table.len(), 18);
    assert_noted(&membership);
}

#[test]
fn this_nodes_own_record_is_compared_like_others() {
    let (mut one, mut other) = (table(), table());
    one.set_own(record(1, EPOCH, 0, ""));
    one.set_own(record(1, EPOCH, 1, ""));
    let name = record(1, EPOCH, 1, "").name();
    assert!(one.named(name).is_some());
    other.insert(entry(record(1, EPOCH, 1, "")), key(9).id());
    assert_eq!(one.index().fingerprint(), other.index().fingerprint());
    assert_eq!(other.named(name), one.named(name));
    assert!(other.named(name ^ 1).is_none());
}

#[test]
fn digests_tell_whether_two_tables_hold_the_same_however_it_came_to_be() {
    let (mut one, mut other) = (table(), table());
    for of in 0..50 {
        one.insert(entry(record(of, EPOCH, 1, "")), key(9).id());
        other.insert(entry(record(49 - of, EPOCH, 0, "")), key(9).id());
    }
    assert_ne!(one.index().fingerprint(), other.index().fingerprint());
    for of in 0..50 {
        other.insert(entry(record(of, EPOCH, 1, "")), key(9).id());
    }
    assert_eq!(one.index().fingerprint(), other.index().fingerprint());
    assert_eq!((one.index().len(), other.index().len()), (50, 50));
    for of in 0..50 {
        one.bury(key(of).id(), EPOCH, Why::Equivocated, at(0));
    }
    assert!(one.index().is_empty());
}

#[test]
fn each_piece_of_news_is_told_so_often_the_least_told_first_and_not_to_who_told_it() {
    let mut rumours = Rumours::default();
    for of in 0..3 {
        rumours.add(Rumour::Member(record(of, EPOCH, 0, "")), Some(key(of).id()));
    }
    let told = |rumours: &mut Rumours, to: u16, bytes| -> Vec<NodeId> {
        let (taken, _) = rumours.take(&key(to).id(), bytes, 2, at(0));
        taken.iter().map(|record| record.content().id).collect()
    };
    let bytes = record(0, EPOCH, 0, "").wire_bytes();
    assert_eq!(told(&mut rumours, 8, bytes), [key(2).id()], "the newest");
    assert_eq!(told(&mut rumours, 1, 1 << 20), [key(0).id(), key(2).id()]);
    assert_eq!(told(&mut rumours, 8, 1 << 20), [key(1).id(), key(0).id()], "the other is told");
    assert_eq!(told(&mut rumours, 8, 1 << 20), [key(1).id()]);
    assert!(rumours.is_empty());
}

/// News of an accusation by one of so many, which ends at 30 s.
fn accused(by: u16, of: u16, accusers: usize) -> Rumour {
    Rumour::Accusation { accusation: accusation(by, of, EPOCH), accusers, until: at(30) }
}

#[test]
fn what_many_say_of_one_is_told_before_what_few_say_of_all_and_nothing_when_it_is_over() {
    let mut rumours = Rumours::default();
    rumours.add(accused(1, 7, 5), None);
    (10..40).for_each(|of| rumours.add(accused(2, of, 1), None));
    rumours.add(accused(3, 7, 6), None);
    let bytes = accusation(1, 7, EPOCH).wire_bytes() * 3;
    for round in 0..3u16 {
        let (_, told) = rumours.take(&key(90 + round).id(), bytes, 9, at(29));
        let accusers: Vec<_> = told.iter().map(|one| one.content().accuser).collect();
        assert_eq!(accusers, [3, 1, 2].map(|by| key(by).id()));
    }
    let (_, told) = rumours.take(&key(99).id(), bytes, 9, at(30));
    assert!(told.is_empty() && rumours.is_empty());
}

#[test]
fn a_flood_of_accusations_holds_up_no_record_and_rebuttals_of_the_endangered_come_first() {
    let mut rumours = Rumours::default();
    rumours.add(Rumour::Rebuttal(record(1, EPOCH, 0, "")), None);
    (2..6).for_each(|of| rumours.add(Rumour::Member(record(of, EPOCH, 0, "")), None));
    (0..40).for_each(|by| rumours.add(accused(by + 50, 9, 1), None));
    let bytes = record(1, EPOCH, 0, "").wire_bytes() * 4;
    for round in 0..3u16 {
        let (members, accusations) = rumours.take(&key(round).id(), bytes, 9, at(0));
        assert_eq!(members.len(), 2, "half of the room");
        assert_eq!(members[0].content().id, key(1).id());
        assert!((1..=3).contains(&accusations.len()));
    }
    // What accusations leave, records take; and the other way round.
    let mut few = Rumours::default();
    (2..9).for_each(|of| few.add(Rumour::Member(record(of, EPOCH, 0, "")), None));
    assert_eq!(few.take(&key(0).id(), bytes, 9, at(0)).0.len(), 4);
    let mut many = Rumours::default();
    (0..40).for_each(|by| many.add(accused(by + 50, 9, 1), None));
    assert!(many.take(&key(0).id(), bytes, 9, at(0)).1.len() > 3);
}

#[test]
fn news_of_one_member_replace_each_other_and_are_bounded() {
    let mut rumours = Rumours::default();
    for version in 0..9 {
        rumours.add(Rumour::Member(record(1, EPOCH, version, "")), None);
    }
    assert_eq!(rumours.len(), 1);
    rumours.add(accused(1, 0, 1), None);
    rumours.drop_accusations(key(0).id());
    assert_eq!(rumours.len(), 1);
    assert!(RUMOURS_MAX >= 1000 && tellings(1000) == 11 && tellings(5000) == 13);
}

#[test]
fn a_member_is_refused_that_nobody_honest_passes_on() {
    let network = Arc::new(network());
    let wall = Timestamp::from_millis(1_800_000_000_000);
    let good = record(1, Epoch { generation: 1, incarnation: 0 }, 0, "").content().clone();
    assert_eq!(good.sense(&network, wall), Ok(()));
    let absurd = Err(crate::Fault::AbsurdMember);
    assert_eq!(Member { addresses: vec![], ..good.clone() }.sense(&network, wall), absurd);
    let epoch = Epoch { generation: 1, incarnation: record::INCARNATION_MAX + 1 };
    assert_eq!(Member { epoch, ..good.clone() }.sense(&network, wall), absurd);
    let time = wall.saturating_add(Duration::from_secs(16));
    let future = Err(crate::Fault::FromFuture);
    assert_eq!(Member { time, ..good }.sense(&network, wall), future);
}
