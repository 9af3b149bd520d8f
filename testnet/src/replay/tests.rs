//! Stories of a real run.

use super::*;
use crate::output::tests::sample;

fn args(node: Option<u32>, message: Option<&str>, until: Option<u64>) -> Args {
    Args {
        run: PathBuf::new(),
        until: until.map(Duration::from_secs),
        node,
        message: message.map(str::to_owned),
        rerun: false,
    }
}

fn tell(args: &Args) -> String {
    Story::new(sample(), args).unwrap().tell(&sample().history.events).unwrap()
}

/// Whether each line that has a time comes after the one before.
fn is_in_order(text: &str) -> bool {
    let times = text.lines().filter_map(|line| line.trim_start().split_once(" s"));
    times.filter_map(|(time, _)| time.parse::<f64>().ok()).is_sorted()
}

#[test]
fn a_message_is_followed_from_its_author_to_all_others() {
    let tree = sample().history.tree.as_ref().unwrap();
    let text = tell(&args(None, Some(&tree.message), None));
    assert!(text.contains(&format!("node {} published {}", tree.author, tree.message)), "{text}");
    assert_eq!(text.matches(" accepted ").count(), 27, "{text}");
    assert!(text.contains("accepted by 27 honest nodes") && is_in_order(&text), "{text}");
}

#[test]
fn a_node_s_life_is_told_up_to_a_time_and_no_further() {
    let text = tell(&args(Some(3), None, Some(12)));
    assert!(text.contains("node 3 linked to") && text.contains("node 3 accepted"), "{text}");
    assert!(!text.contains("accepted 0 "), "{text}");
    let late = |line: &str| {
        let time = line.trim_start().split_once(" s").and_then(|(time, _)| time.parse().ok());
        time.is_some_and(|time: f64| time > 12.0)
    };
    assert!(is_in_order(&text) && !text.lines().any(late), "{text}");
}

#[test]
fn of_an_adversary_is_told_what_others_saw() {
    let forger = sample().history.adversaries.iter().find(|it| it.kind == "forge").unwrap().node;
    let text = tell(&args(Some(forger), None, None));
    assert!(text.contains(&format!("banned node {forger} (forge): forged")), "{text}");
}

#[test]
fn without_a_choice_only_what_is_notable_is_told() {
    let text = tell(&args(None, None, None));
    assert!(text.contains("the attack begins: forge") && text.contains("banned"), "{text}");
    assert!(!text.contains("published") && text.contains("--node N"), "{text}");
}

#[test]
fn who_and_what_is_not_there_is_said() {
    let nobody = args(Some(99), None, None);
    let error = Story::new(sample(), &nobody).err().unwrap();
    assert!(error.to_string().contains("nodes 0 to 33"), "{error}");
    let nothing = args(None, Some("ffffffffffff"), None);
    let story = Story::new(sample(), &nothing).unwrap();
    let error = story.tell(&sample().history.events).unwrap_err();
    assert!(error.to_string().contains("nothing is known"), "{error}");
}

#[test]
fn a_run_that_is_simulated_again_is_the_same_and_another_is_not() {
    assert!(matches!(rerun(sample()).unwrap(), Again::Same(text) if text.contains("the same")));
    let other = Run { trace_digest: Some("00".to_owned()), ..sample().clone() };
    assert!(matches!(rerun(&other).unwrap(), Again::Other(text) if text.contains("is another")));
    let real = Run { trace_digest: None, ..sample().clone() };
    assert!(rerun(&real).unwrap_err().to_string().contains("real nodes"));
}
