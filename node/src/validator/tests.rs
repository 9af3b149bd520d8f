use std::sync::atomic::{AtomicUsize, Ordering};

use forsooth_crypto::verify;
use forsooth_protocol::Check;
use futures::FutureExt as _;

use super::*;
use crate::fixtures::{checks, network};

/// So many verified messages, with tickets.
fn messages(count: usize) -> Vec<(Ticket, Verified<Publication>)> {
    // Every third is forged.
    let checks = checks(2 * count as u64 + 2).0.into_iter();
    let verified = checks.filter_map(|(ticket, check)| match check {
        Check::Publication(message) => verify(message).ok().map(|message| (ticket, message)),
        Check::Proof(_)
        | Check::Record(_)
        | Check::Member(_)
        | Check::Accusation(_)
        | Check::Answer(_) => None,
    });
    verified.take(count).collect()
}

fn panel(validator: impl Validator) -> Panel {
    Panel::new(Some(Judge::new(validator)), Arc::new(network("n")))
}

#[tokio::test]
async fn a_judgement_comes_with_its_ticket() {
    let odd = |submission: Submission| {
        let judgement = if submission.seq % 2 == 1 { Judgement::Accept } else { Judgement::Reject };
        std::future::ready(judgement)
    };
    let mut panel = panel(odd);
    let messages = messages(20);
    for (ticket, message) in messages.clone() {
        panel.ask(ticket, message);
    }
    for _ in 0..messages.len() {
        let (ticket, judgement) = panel.judgement().await;
        let (_, message) = messages.iter().find(|(asked, _)| *asked == ticket).unwrap();
        assert_eq!(judgement == Judgement::Accept, message.header().slot.seq % 2 == 1);
    }
    assert_eq!(panel.pending(), 0);
    assert!(panel.judgement().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_validator_that_hangs_or_panics_has_ignored_its_message() {
    async fn bad(submission: Submission) -> Judgement {
        assert!(submission.seq % 2 == 1, "a bug in the application");
        std::future::pending().await
    }
    let mut panel = panel(bad);
    for (ticket, message) in messages(4) {
        panel.ask(ticket, message);
    }
    for _ in 0..4 {
        assert_eq!(panel.judgement().await.1, Judgement::Ignore);
    }
}

#[tokio::test]
async fn validations_at_once_are_bounded_and_the_rest_waits() {
    static RUNNING: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    async fn count(_: Submission) -> Judgement {
        let running = RUNNING.fetch_add(1, Ordering::SeqCst) + 1;
        MOST.fetch_max(running, Ordering::SeqCst);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        RUNNING.fetch_sub(1, Ordering::SeqCst);
        Judgement::Accept
    }
    let mut panel = panel(count);
    let messages = messages(3 * RUNNING_MAX);
    for (ticket, message) in messages.clone() {
        panel.ask(ticket, message);
    }
    assert_eq!(panel.pending(), messages.len());
    for _ in 0..messages.len() {
        assert_eq!(panel.judgement().await.1, Judgement::Accept);
    }
    assert_eq!(MOST.load(Ordering::SeqCst), RUNNING_MAX);
}

#[tokio::test]
async fn what_finds_no_place_is_ignored_and_answered() {
    let mut panel = panel(|_: Submission| std::future::pending());
    let (ticket, message) = messages(1).remove(0);
    for _ in 0..RUNNING_MAX + WAITING_MAX {
        panel.ask(ticket, message.clone());
    }
    assert!(panel.judgement().now_or_never().is_none());
    panel.ask(ticket, message);
    assert_eq!(panel.judgement().await, (ticket, Judgement::Ignore));
}

#[tokio::test]
async fn without_a_validator_nobody_objects() {
    let mut panel = Panel::new(None, Arc::new(network("n")));
    let (ticket, message) = messages(1).remove(0);
    panel.ask(ticket, message);
    assert_eq!(panel.judgement().await, (ticket, Judgement::Accept));
}
