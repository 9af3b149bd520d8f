use std::collections::BTreeMap;

use forsooth_protocol::Outcome;

use super::*;
use crate::fixtures::checks;

async fn verdicts(client: &mut Client, count: usize) -> BTreeMap<Ticket, bool> {
    let mut verdicts = BTreeMap::new();
    while verdicts.len() < count {
        for verdict in client.batch().await.verdicts {
            verdicts.insert(verdict.ticket, !matches!(verdict.outcome, Outcome::Rejected(..)));
        }
    }
    verdicts
}

#[tokio::test]
async fn each_check_gets_its_own_verdict() {
    for workers in [1, 3] {
        let verifier = Verifier::start(NonZeroUsize::new(workers).unwrap()).unwrap();
        let mut client = verifier.client();
        let (checks, expected) = checks(100);
        checks.into_iter().for_each(|(ticket, check)| client.gather(ticket, check));
        client.dispatch();
        assert_eq!(verdicts(&mut client, expected.len()).await, expected);
    }
}

#[test]
fn one_check_alone_needs_no_thread_and_two_do() {
    let (jobs, mut queue) = mpsc::channel(JOBS_MAX);
    let mut client = Verifier { jobs }.client();
    let (checks, expected) = checks(4);
    let (alone, rest) = checks.split_at(2);
    for check in alone.iter().cloned() {
        client.gather(check.0, check.1);
        let batch = client.check_alone().unwrap();
        let good = !matches!(batch.verdicts[0].outcome, Outcome::Rejected(..));
        assert_eq!(expected.get(&batch.verdicts[0].ticket), Some(&good));
    }
    client.dispatch();
    assert!(client.check_alone().is_none() && queue.try_recv().is_err(), "there is nothing to do");
    rest.iter().cloned().for_each(|(ticket, check)| client.gather(ticket, check));
    assert!(client.check_alone().is_none(), "a batch is cheaper");
    client.dispatch();
    assert_eq!(queue.try_recv().unwrap().checks.len(), 2);
    client.gather(alone[0].0, alone[0].1.clone());
    assert!(client.check_alone().is_none(), "the threads are busy with others");
}

#[tokio::test]
async fn nodes_that_share_threads_get_their_own_verdicts() {
    let verifier = Verifier::start(NonZeroUsize::MIN).unwrap();
    let mut clients = [verifier.client(), verifier.client()];
    // Both cores give out the same tickets, in another order of good and forged.
    let (checks, expected) = checks(60);
    for (client, skip) in clients.iter_mut().zip([0, 1]) {
        checks.iter().skip(skip).cloned().for_each(|(ticket, check)| client.gather(ticket, check));
        client.dispatch();
    }
    for (client, skip) in clients.iter_mut().zip([0, 1]) {
        let expected: BTreeMap<_, _> = expected.clone().into_iter().skip(skip).collect();
        assert_eq!(verdicts(client, expected.len()).await, expected);
    }
}

#[tokio::test]
async fn what_finds_no_room_waits_and_comes_through() {
    let (checks, expected) = checks(50);
    let (jobs, mut queue) = mpsc::channel(1);
    let mut client = Verifier { jobs }.client();
    for (ticket, check) in checks {
        client.gather(ticket, check);
        client.dispatch();
    }
    assert_eq!(client.waiting(), 49, "one job is in the queue");
    // The rest leaves in few jobs as soon as there is room, without another dispatch.
    let worker = thread::spawn(move || {
        let rng = || ChaCha20Rng::from_seed([0; 32]);
        let mut jobs = 0;
        while let Some(job) = queue.blocking_recv() {
            jobs += 1;
            let batch = Batch {
                verdicts: check_all(job.checks, &mut rng()),
                spent: Duration::ZERO,
                jobs: 1,
            };
            job.reply.try_send(batch).unwrap();
        }
        jobs
    });
    assert_eq!(verdicts(&mut client, expected.len()).await, expected);
    drop(client);
    assert_eq!(worker.join().unwrap(), 2);
}

#[test]
fn jobs_of_one_client_are_joined_and_those_of_others_are_not() {
    let (jobs, _queue) = mpsc::channel(1);
    let verifier = Verifier { jobs };
    let (one, other) = (verifier.client(), verifier.client());
    let (mut checks, _) = checks(3);
    let mut job =
        |client: &Client| Job { checks: vec![checks.pop().unwrap()], reply: client.reply.clone() };
    let joined = by_client(vec![job(&one), job(&other), job(&one)]);
    assert_eq!(
        joined.iter().map(|(job, jobs)| (job.checks.len(), *jobs)).collect::<Vec<_>>(),
        [(2, 2), (1, 1)]
    );
}

#[tokio::test]
async fn a_verifier_whose_threads_are_gone_leaves_its_clients_waiting_not_spinning() {
    let (jobs, queue) = mpsc::channel(1);
    let mut client = Verifier { jobs }.client();
    drop(queue);
    let (checks, _) = checks(1);
    checks.into_iter().for_each(|(ticket, check)| client.gather(ticket, check));
    client.dispatch();
    assert!(futures::FutureExt::now_or_never(client.batch()).is_none());
}
