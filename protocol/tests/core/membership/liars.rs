//! Towns in which some of the members lie, as members.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc, time::Duration};

use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Participant as _,
    membership::{Accusation, News, Preset, Settings, SignedAccusation, signed::Signed},
    wire::{Ack, Frame},
};

use super::town::Town;

/// Who observes a member, on which ring, in their own eyes.
fn observers(town: &Town, subject: usize) -> Vec<(usize, u8)> {
    let of = |node: usize| {
        let members = town.cores[node].as_ref()?.members();
        let state = members.into_iter().find(|it| it.record.content().id == town.id(subject))?;
        Some((node, state.observed_on?))
    };
    town.up().filter_map(of).collect()
}

/// What an observer says of a member now, whether or not that is true.
fn accusation(town: &Town, (by, ring): (usize, u8), subject: usize) -> SignedAccusation {
    let members = town.cores[by].as_ref().unwrap().members();
    let state = members.into_iter().find(|it| it.record.content().id == town.id(subject)).unwrap();
    let (accuser, time) = (town.id(by), town.wall());
    let (subject, epoch) = (town.id(subject), state.record.content().epoch);
    let accusation = Accusation { accuser, subject, epoch, ring, time };
    Signed::sign(accusation, town.key(by), &town.network)
}

/// Has some observers of a member accuse it before everybody.
fn accuse(town: &mut Town, subject: usize, by: &[(usize, u8)]) {
    accuse_before(town, subject, by, usize::MAX);
}

/// The same, before so many.
fn accuse_before(town: &mut Town, subject: usize, by: &[(usize, u8)], before: usize) {
    let accusations: Vec<_> = by.iter().map(|by| accusation(town, *by, subject)).collect();
    for (by, _) in by {
        let told: Vec<usize> = town.up().filter(|to| to != by).take(before).collect();
        for to in told {
            let accusations = accusations.clone();
            town.send(*by, to, &Frame::Rumours { members: vec![], accusations, asked: false });
        }
    }
}

fn is_accusing(frame: &Frame) -> bool {
    matches!(frame, Frame::Rumours { accusations, .. } if !accusations.is_empty())
}

#[test]
fn up_to_t_lying_observers_of_each_victim_kill_nobody_in_ten_minutes() {
    let mut town = Town::settled(40);
    town.news.clear();
    let t = town.snapshot(0).membership.unwrap().tolerated;
    assert_eq!(t, 4);
    for _ in 0..100 {
        for victim in [3, 11, 22] {
            let mut liars = observers(&town, victim);
            liars.truncate(t);
            accuse(&mut town, victim, &liars);
        }
        town.run(6);
    }
    assert_eq!(town.deaths(), []);
    assert!(town.blamed.is_empty(), "{:?}", town.blamed.first());
    for victim in [3, 11, 22] {
        assert!(town.up().all(|node| node == victim || town.view(node).contains(&victim)));
        let epoch = town.snapshot(victim).membership.unwrap().epoch.unwrap();
        assert!(epoch.incarnation > 0, "there was nothing to rebut");
    }
}

#[test]
fn a_live_member_rebuts_even_all_of_its_observers() {
    let mut town = Town::settled(40);
    town.news.clear();
    for _ in 0..5 {
        let all = observers(&town, 9);
        assert!(all.len() > 4);
        accuse(&mut town, 9, &all);
        town.run(4);
    }
    assert_eq!(town.deaths(), []);
    let suspected = |(_, _, news): &&(_, _, News)| matches!(news, News::Suspected { .. });
    assert!(town.news.iter().filter(suspected).count() > 30, "there was nothing to rebut");
    let recovered = |(_, _, news): &&(_, _, News)| matches!(news, News::Recovered { .. });
    assert!(town.news.iter().filter(recovered).count() > 30);
}

/// Everybody is accused by all of its observers at once, which is more than there is bandwidth to pass on: what it answers is
/// heard in time all the same.
#[test]
fn a_flood_of_accusations_holds_up_no_rebuttal() {
    let narrow = Settings { gossip_bytes: 4096, ..Settings::preset(Preset::Lan) };
    let mut town = Town::with(60, narrow);
    town.settle();
    town.news.clear();
    for _ in 0..4 {
        for subject in 0..60 {
            let all = observers(&town, subject);
            accuse_before(&mut town, subject, &all, 2);
        }
        town.run(30);
    }
    let suspected = |(_, _, news): &&(_, _, News)| matches!(news, News::Suspected { .. });
    assert!(town.news.iter().filter(suspected).count() > 60, "there was nothing to rebut");
    assert_eq!(town.deaths(), []);
}

/// Has one node told what some members say in their next incarnations, in this order.
fn rebut(town: &mut Town, to: usize, members: &[usize]) {
    let states = town.cores[to].as_ref().unwrap().members();
    let next = |of: &usize| {
        let state = states.iter().find(|it| it.record.content().id == town.id(*of)).unwrap();
        let mut member = state.record.content().clone();
        member.epoch.incarnation += 1;
        Signed::sign(member, town.key(*of), &town.network)
    };
    let members = members.iter().map(next).collect();
    town.send(1, to, &Frame::Rumours { members, accusations: vec![], asked: false });
}

#[test]
fn rebuttals_of_those_who_are_about_to_be_certified_and_ones_own_are_told_before_newer_records() {
    let mut town = Town::settled(40);
    let told: Rc<RefCell<Vec<Vec<NodeId>>>> = Rc::default();
    let ears = Rc::clone(&told);
    town.filter = Box::new(move |from, _, frame| {
        if let Frame::Rumours { members, asked: false, .. } = frame
            && from == 0
            && members.len() > 2
        {
            ears.borrow_mut().push(members.iter().map(|it| it.content().id).collect());
        }
        from != 0
    });
    let accused_before = |town: &mut Town, subject: usize| {
        let by = observers(town, subject);
        let accusations: Vec<_> = by.iter().map(|by| accusation(town, *by, subject)).collect();
        assert!(accusations.len() > town.snapshot(0).membership.unwrap().tolerated);
        town.send(1, 0, &Frame::Rumours { members: vec![], accusations, asked: false });
    };
    accused_before(&mut town, 9);
    rebut(&mut town, 0, &[9, 10, 11, 12]);
    town.run(1);
    assert_eq!(told.borrow()[0], [9, 12, 11, 10].map(|of| town.id(of)));
    told.borrow_mut().clear();
    accused_before(&mut town, 0);
    rebut(&mut town, 0, &[13, 14, 15]);
    town.run(1);
    assert_eq!(told.borrow()[0][0], town.id(0));
}

#[test]
fn who_cannot_hear_that_it_is_accused_dies_by_no_fewer_than_the_threshold() {
    for (liars, deaths) in [(4, 0), (5, 30)] {
        let mut town = Town::settled(40);
        town.news.clear();
        // It answers probes, but hears no accusation, so it cannot rebut.
        town.filter = Box::new(|_, to, frame| to != 9 || !is_accusing(frame));
        let mut by = observers(&town, 9);
        by.truncate(liars);
        let accusations: Vec<_> = by.iter().map(|by| accusation(&town, *by, 9)).collect();
        for to in (0..40).filter(|to| *to != 9) {
            let frame =
                Frame::Rumours { members: vec![], accusations: accusations.clone(), asked: false };
            let from = town.snapshot(to).links[0].peer;
            town.send(town.number(&from), to, &frame);
        }
        town.run(10);
        let found = town.deaths().len();
        assert!(found >= deaths && (deaths > 0 || found == 0), "{liars} liars, {found} deaths");
    }
}

#[test]
fn a_fifth_of_silent_observers_shields_nobody_for_twice_the_usual_time() {
    let takes = |silent: bool| {
        let mut town = Town::settled(40);
        let hushed: BTreeSet<usize> = (0..40).filter(|node| silent && node % 5 == 1).collect();
        let quiet = hushed.clone();
        town.filter =
            Box::new(move |from, _, frame| !(is_accusing(frame) && quiet.contains(&from)));
        town.news.clear();
        town.kill(7);
        let begin = town.now;
        town.run(40);
        let honest = |by: usize| !hushed.contains(&by);
        let by: BTreeSet<usize> = town.deaths().iter().map(|(by, _)| *by).collect();
        assert!((0..40).filter(|by| honest(*by) && *by != 7).all(|node| by.contains(&node)));
        let last = town
            .news
            .iter()
            .filter(|(_, by, news)| matches!(news, News::Died { .. }) && honest(*by));
        last.map(|(at, ..)| at.since(begin)).max().unwrap()
    };
    let (usual, shielded) = (takes(false), takes(true));
    assert!(shielded < usual * 2, "{shielded:?} against {usual:?}");
}

#[test]
fn one_helper_that_says_it_has_not_reached_the_subject_is_enough_to_wait_no_longer_for_the_others()
{
    // How long it takes on average until somebody holds a dead one for dead, if so many of each observer's helpers say that they did
    // not reach it.
    let takes = |answer: usize, dead: usize| {
        let mut town = Town::settled(40);
        let heard: RefCell<Vec<(usize, u64)>> = RefCell::default();
        town.filter = Box::new(move |_, to, frame| {
            let Frame::Ack(Ack::Unreached { nonce, .. }) = frame else { return true };
            let mut heard = heard.borrow_mut();
            heard.push((to, *nonce));
            heard.iter().filter(|one| **one == (to, *nonce)).count() <= answer
        });
        town.news.clear();
        town.kill(dead);
        let begin = town.now;
        town.run(40);
        assert_eq!(town.deaths().len(), 39);
        let died = town.news.iter().filter(|(_, _, news)| matches!(news, News::Died { .. }));
        died.map(|(at, ..)| at.since(begin)).sum::<Duration>() / 39
    };
    let all = |answer: usize| [3, 7, 19].map(|dead| takes(answer, dead));
    let (none, one) = (all(0), all(1));
    // Helpers have 2 s, and an observer one of whose probes has just failed waits for twice as long.
    let sum = |all: &[Duration]| all.iter().sum::<Duration>();
    assert!(sum(&one) + Duration::from_millis(3 * 1_500) < sum(&none), "{one:?} against {none:?}");
}
