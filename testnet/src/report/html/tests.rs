//! The page as a browser takes it.

use super::render;
use crate::{
    output::{Compared, FirstViolation, Run, tests::sample},
    record::history::History,
    verdict::Verdict,
};

/// Elements that have no end.
const VOID: [&str; 3] = ["meta", "br", "?xml"];

/// Panics unless every element that begins ends, in order.
pub(crate) fn assert_balanced(markup: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in markup.split('<').skip(1) {
        let (inside, _) = tag.split_once('>').expect("a tag ends");
        let name = inside.split([' ', '\n', '/']).find(|part| !part.is_empty()).unwrap_or(inside);
        if inside.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{inside} ends what did not begin");
        } else if !inside.ends_with('/') && !inside.starts_with('!') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "never ended: {open:?}");
}

#[test]
fn the_page_is_well_formed_and_whole() {
    let page = render(sample());
    assert_balanced(&page);
    assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
    for heading in [
        "What had to hold",
        "What was done to the network",
        "Delivery and latency",
        "Cost",
        "The attack, as honest nodes met it",
        "Peers",
        "The way of one message",
        "Memory",
        "Reproduction",
    ] {
        assert!(page.contains(&format!("<h2>{heading}</h2>")), "{heading} is missing");
    }
    assert_eq!(page.matches("<svg ").count(), page.matches("<figcaption>").count());
    assert!(!page.contains("could not be drawn") && !page.contains("NaN"));
}

#[test]
fn the_page_asks_nobody_for_anything() {
    let page = render(sample());
    for wish in ["http", "//", "src=", "href=", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(wish), "the page contains {wish}");
    }
}

#[test]
fn every_colour_in_a_drawing_has_one_for_the_dark() {
    let page = render(sample());
    for part in ["fill=\"#", "stroke=\"#"] {
        for colour in page.split(part).skip(1).filter_map(|rest| rest.get(..6)) {
            let rule = format!("svg [{part}{colour}\"]");
            assert!(page.contains(&rule), "{part}{colour} is the same in light and dark");
        }
    }
}

#[test]
fn what_comes_from_outside_cannot_become_markup() {
    let run = Run { name: "<script>x</script>".to_owned(), ..sample().clone() };
    let page = render(&run);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
    assert!(page.contains(
        "an equivocator &lt;attack&gt; while two nodes are &quot;paused&quot; &amp; resumed"
    ));
    assert_balanced(&page);
}

#[test]
fn a_failure_is_told_with_its_first_violation_and_what_was_compared() {
    let mut run = sample().clone();
    run.verdict = Verdict::Fail;
    run.first_violation = Some(FirstViolation {
        invariant: "false_ban".to_owned(),
        at_s: 3.25,
        node: 4,
        message: None,
        text: "3.250s: honest node 4 banned honest node 5 for forged".to_owned(),
    });
    run.compared.push(Compared {
        without: "bans".to_owned(),
        verdict: Verdict::Fail,
        failed: vec!["too many".to_owned()],
        metrics: run.metrics.clone(),
    });
    let page = render(&run);
    assert_balanced(&page);
    assert!(page.contains("badge fail") && page.contains("honest node 4 banned honest node 5"));
    assert!(page.contains("without <code>bans</code>"));
}

#[test]
fn a_run_in_which_nothing_happened_has_a_page_too() {
    let mut run = sample().clone();
    run.verdict = Verdict::Inconclusive;
    run.doubts = vec!["no honest node published anything".to_owned()];
    (run.baseline, run.history) = (None, History::default());
    run.adversaries.clear();
    let page = render(&run);
    assert_balanced(&page);
    assert!(page.contains("badge inconclusive") && !page.contains("NaN"));
}
