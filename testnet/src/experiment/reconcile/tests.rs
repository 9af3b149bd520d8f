//! The bars of the experiment, at a size that a test can afford.

use forsooth_protocol::sync::reconcile::Method;

use super::{Error, Setting, run, run_many};

const RECORDS: u32 = 50_000;

#[test]
fn equal_sets_take_one_round_trip_and_200_bytes() {
    let setting = Setting { records: RECORDS, differences: 0, method: Method::Auto, seed: 1 };
    let report = run(&setting).unwrap();
    assert!(report.bytes <= 200 && report.round_trips == 1, "{report}");
    assert_eq!(report.bytes_per_difference, None);
}

#[test]
fn a_difference_takes_90_bytes_and_three_round_trips_at_most() {
    // One comparison in a thousand has bad luck: see docs/sync.md.
    for (differences, seeds, within) in [(10, 100, 100), (100, 40, 40), (1000, 8, 8)] {
        let setting = Setting { records: RECORDS, differences, method: Method::Auto, seed: 0 };
        let summary = run_many(&setting, seeds).unwrap();
        assert!(summary.exact && summary.fallbacks == 0, "{summary}");
        assert!(summary.within_90_bytes_and_3_round_trips >= within, "{summary}");
    }
}

#[test]
fn a_series_begins_with_what_its_first_seed_gives_alone() {
    let setting = Setting { records: 5_000, differences: 7, method: Method::Auto, seed: 3 };
    let (alone, series) = (run(&setting).unwrap(), run_many(&setting, 1).unwrap());
    assert_eq!((alone.bytes, alone.round_trips), (series.bytes, series.round_trips));
    assert!(series.bytes_95th <= series.bytes_most);
}

#[test]
fn ranges_alone_take_no_more_than_the_textbook_says() {
    for differences in [10, 100, 1000] {
        let setting = Setting { records: RECORDS, differences, method: Method::Merkle, seed: 1 };
        let report = run(&setting).unwrap();
        let d = f64::from(differences);
        let textbook = d * (f64::from(RECORDS) / d).log(16.0) * 16.0 * 32.0;
        assert!(report.exact && (report.bytes as f64) < textbook, "{report}\n{textbook}");
    }
}

#[test]
fn symbols_alone_do() {
    let setting = Setting { records: RECORDS, differences: 300, method: Method::Sketch, seed: 1 };
    assert!(run(&setting).unwrap().exact);
}

#[test]
fn more_differences_than_records_make_no_sense() {
    let setting = Setting { records: 4, differences: 5, method: Method::Auto, seed: 1 };
    assert!(matches!(run(&setting), Err(Error::TooManyDifferences { records: 4, .. })));
}
