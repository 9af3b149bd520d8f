//! Files that somebody else has changed.

use super::*;

/// What may become of a file, and the file then.
fn damages(good: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = vec![
        ("empty".to_owned(), Vec::new()),
        ("text".to_owned(), b"what is this?".to_vec()),
        ("zeros".to_owned(), vec![0; good.len()]),
        (
            "noise".to_owned(),
            (0..=u8::MAX).cycle().map(|at| at.wrapping_mul(79)).take(good.len()).collect(),
        ),
    ];
    for part in 1..16 {
        let mut cut = good.to_vec();
        cut.truncate(good.len() * part / 16 + part);
        all.push((format!("cut to {part}/16"), cut));
    }
    // Pages of 4 KiB that are in use, one that is not, and the header in front.
    let is_used = |place: &usize| good[*place..].iter().take(4096).any(|byte| *byte != 0);
    let (used, free): (Vec<_>, Vec<_>) = (0..good.len()).step_by(4096).partition(is_used);
    for place in used.iter().chain(free.last()).copied().chain((0..512).step_by(32)) {
        let mut flipped = good.to_vec();
        flipped[place + 3] ^= 0x40;
        all.push((format!("a bit in byte {}", place + 3), flipped));
    }
    for place in used {
        let mut noisy = good.to_vec();
        noisy[place..].iter_mut().take(4096).for_each(|byte| *byte ^= 0xa5);
        all.push((format!("the page at byte {place}"), noisy));
    }
    all
}

#[test]
fn a_damaged_file_is_named_with_advice_and_never_believed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    let network = hour();
    let messages: Vec<_> = (0..40).map(|seq| kept(&network, "a", seq, seq)).collect();
    let archive = Archive::open(Some(folder.path()), &network).unwrap();
    archive.write(&messages, at(41)).unwrap();
    drop(archive);
    let good = std::fs::read(&path).unwrap();
    let (mut named, mut unharmed) = (0, 0);
    for (name, bytes) in damages(&good) {
        std::fs::write(&path, &bytes).unwrap();
        match Archive::open(Some(folder.path()), &network) {
            // What was hit is in no use.
            Ok(archive) => {
                assert_eq!(seqs(&archive, "a"), (0..40).collect::<Vec<_>>(), "{name}");
                assert_eq!(holding(&archive, "a").messages, 40, "{name}");
                unharmed += 1;
            }
            Err(StoreError::DamagedMessages { path: damaged, detail }) => {
                assert_eq!(damaged, path, "{name}");
                assert!(!detail.contains("given up"), "{name}: {detail}");
                named += 1;
            }
            Err(other) => panic!("{name}: {other:?}"),
        }
    }
    assert!(named > 20 && unharmed > 0, "{named} named, {unharmed} unharmed");
}

#[test]
fn what_is_damaged_while_it_is_open_is_an_error_and_no_panic() {
    let network = hour();
    let archive = Archive::open(None, &network).unwrap();
    archive.write([&kept(&network, "a", 0, 0)], at(1)).unwrap();
    let refused = archive.look::<()>(|_| panic!("as redb does on a page that makes no sense"));
    let refused = refused.unwrap_err();
    assert!(matches!(refused, StoreError::DamagedMessages { .. }), "{refused:?}");
    assert!(refused.to_string().contains("a page that makes no sense"), "{refused}");
    let topic = network.topic_id("a").unwrap();
    assert!(archive.read(topic, 0).is_err(), "it is not asked again");
    // Whoever writes opens it anew, and this time it is sound.
    archive.write([&kept(&network, "a", 1, 1)], at(1)).unwrap();
}
