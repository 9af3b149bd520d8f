//! The bars of the experiment, at a size that a test can afford.

use forsooth_protocol::sync::reconcile::Method;

use super::{Error, Setting, run};

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
    for (differences, seeds) in [(10, 8), (100, 4), (1000, 2)] {
        for seed in 0..seeds {
            let setting = Setting { records: RECORDS, differences, method: Method::Auto, seed };
            let report = run(&setting).unwrap();
            assert!(report.exact && report.fallback.is_none(), "{report}");
            assert!(report.round_trips <= 3, "{report}");
            assert!(report.bytes <= 90 * differences as usize + 500, "{report}");
        }
    }
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
