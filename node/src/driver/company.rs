//! A node that nobody is linked with: when that is worth a word to the operator, and when it is over.
//!
//! The core finds the way back by itself; this only says so.

use std::time::Duration;

use tokio::time::Instant;

/// Without links for so long is worth a word: links come and go, and a start takes its time.
const PATIENCE: Duration = Duration::from_secs(15);
/// Then again after this, then after twice as long...
const AGAIN: Duration = Duration::from_secs(60);
/// ...but at least this often.
const AGAIN_MAX: Duration = Duration::from_secs(3600);

/// Since when nobody is linked.
#[derive(Debug, Default)]
pub(super) struct Company(Option<Alone>);

#[derive(Debug)]
struct Alone {
    since: Instant,
    word_at: Instant,
    next: Duration,
    is_told: bool,
}

/// What the operator should hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Nobody is linked, for so long now.
    Alone(Duration),
    /// Somebody is again, after so long.
    Back(Duration),
}

impl Company {
    /// Looks at how many are linked now.
    pub(super) fn look(&mut self, links: usize, now: Instant) -> Option<Word> {
        if links > 0 {
            let alone = self.0.take().filter(|alone| alone.is_told)?;
            return Some(Word::Back(now.duration_since(alone.since)));
        }
        let alone = self.0.get_or_insert_with(|| Alone {
            since: now,
            word_at: now + PATIENCE,
            next: AGAIN,
            is_told: false,
        });
        if now < alone.word_at {
            return None;
        }
        alone.is_told = true;
        alone.word_at = now + alone.next;
        alone.next = alone.next.saturating_mul(2).min(AGAIN_MAX);
        Some(Word::Alone(now.duration_since(alone.since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lonely_node_says_so_now_and_then_and_when_it_is_over() {
        let begin = Instant::now();
        let at = |s| begin + Duration::from_secs(s);
        let alone = |s| Some(Word::Alone(Duration::from_secs(s)));
        let mut company = Company::default();
        let words = [0, 14, 15, 20, 75, 80, 194, 195].map(|s| company.look(0, at(s)));
        assert_eq!(words, [None, None, alone(15), None, alone(75), None, None, alone(195)]);
        assert_eq!(company.look(2, at(200)), Some(Word::Back(Duration::from_secs(200))));
        assert_eq!(company.look(2, at(201)), None);
    }

    #[test]
    fn a_link_that_is_soon_back_is_not_worth_a_word() {
        let begin = Instant::now();
        let mut company = Company::default();
        assert_eq!(company.look(0, begin), None);
        assert_eq!(company.look(1, begin + Duration::from_secs(14)), None);
        assert_eq!(company.look(0, begin + Duration::from_secs(20)), None);
        assert_eq!(company.look(0, begin + Duration::from_secs(34)), None);
    }
}
