use std::os::unix::fs::PermissionsExt as _;

use bytes::Bytes;
use forsooth_crypto::NodeId;
use redb::Database;

use super::*;
use crate::fixtures::network;

const FORGED: BanCause = BanCause::Fault(forsooth_protocol::Fault::Forged);

fn at(secs: u64) -> Timestamp {
    Timestamp::from_millis(secs * 1000)
}

fn peer(byte: u8) -> NodeId {
    NodeId::from_bytes([byte; 32])
}

#[test]
fn a_generation_grows_over_restarts_even_when_the_clock_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut generations = Vec::new();
    for now in [at(1000), at(1000), at(5000), at(10)] {
        let store = Store::open(folder.path(), &network("n")).unwrap();
        generations.push(store.next_generation(now, None).unwrap().0);
    }
    assert_eq!(generations, [1000, 1001, 5000, 5001]);
}

#[test]
fn a_generation_is_above_what_was_published_if_the_file_was_lost_and_the_clock_went_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &network("n")).unwrap();
    assert_eq!(store.next_generation(at(10), Some(5000)).unwrap(), (5001, Some(5000)));
    assert_eq!(store.next_generation(at(10), Some(5000)).unwrap(), (5002, Some(5001)));
}

#[test]
fn ephemeral_generations_of_one_process_differ_within_a_second() {
    let now = crate::clock::wall().unwrap();
    let first = ephemeral_generation(now);
    assert!(first >= now.as_secs());
    assert!(ephemeral_generation(now) > first);
}

#[tokio::test]
async fn bans_and_proofs_survive_a_restart_and_pardons_too() {
    let folder = tempfile::tempdir().unwrap();
    let ban = |byte, until| Record::Ban(Ban { whom: peer(byte).into(), cause: FORGED, until });
    let net = |text: &str, until| {
        let whom = text.parse::<Net>().unwrap().into();
        Record::Ban(Ban { whom, cause: BanCause::Operator, until })
    };
    let proof = Record::Proof { author: peer(4), frame: Bytes::from_static(b"frame") };
    let mut writer = Writer::start(Store::open(folder.path(), &network("n")).unwrap()).unwrap();
    for record in [
        ban(1, None),
        ban(2, Some(at(77))),
        ban(3, None),
        proof.clone(),
        Record::Pardon { whom: peer(3).into() },
        net("192.0.2.0/24", None),
        net("2001:db8::/32", Some(at(77))),
        net("198.51.100.7", None),
        Record::Pardon { whom: "198.51.100.7".parse::<Net>().unwrap().into() },
    ] {
        writer.store(record);
    }
    writer.close().await.unwrap();

    let store = Store::open(folder.path(), &network("n")).unwrap();
    let nets = [net("192.0.2.0/24", None), net("2001:db8::/32", Some(at(77)))];
    let [lasting, brief] = nets;
    assert_eq!(
        store.records(at(76)).unwrap(),
        [ban(1, None), ban(2, Some(at(77))), lasting.clone(), brief, proof.clone()]
    );
    assert_eq!(store.records(at(77)).unwrap(), [ban(1, None), lasting, proof]);
}

#[test]
fn the_address_book_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let entry = |byte, entry| Record::Peer { peer: peer(byte), entry: Bytes::from_static(entry) };
    let store = Store::open(folder.path(), &network("n")).unwrap();
    let anchors = |peers| Record::Anchors { peers };
    let first = [
        entry(1, b"old"),
        Record::BookKey { key: u64::MAX },
        entry(2, b"two"),
        anchors(vec![peer(2), peer(1)]),
        entry(1, b"one"),
    ];
    store.write(&first).unwrap();
    store.write(&[Record::PeerGone { peer: peer(2) }, anchors(vec![peer(1)])]).unwrap();
    drop(store);
    let store = Store::open(folder.path(), &network("n")).unwrap();
    let expected = [Record::BookKey { key: u64::MAX }, anchors(vec![peer(1)]), entry(1, b"one")];
    assert_eq!(store.records(at(1)).unwrap(), expected);
}

#[test]
fn peers_over_the_bound_are_left_out_and_known_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &network("n")).unwrap();
    let entry = |n: usize, entry| {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&n.to_be_bytes());
        Record::Peer { peer: NodeId::from_bytes(id), entry: Bytes::from_static(entry) }
    };
    let many: Vec<_> = (0..PEERS_MAX + 10).map(|n| entry(n, b"a")).collect();
    store.write(&many).unwrap();
    store.write(&[entry(0, b"b")]).unwrap();
    let records = store.records(at(1)).unwrap();
    assert_eq!(records.len(), PEERS_MAX);
    assert_eq!(records[0], entry(0, b"b"));
}

#[test]
fn a_proof_of_work_is_kept_for_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &network("n")).unwrap();
    let work = Work::from_bytes(&[7; Work::LEN]).unwrap();
    assert_eq!(store.work(&peer(1)).unwrap(), None);
    store.keep_work(&peer(1), work).unwrap();
    drop(store);
    let store = Store::open(folder.path(), &network("n")).unwrap();
    assert_eq!(store.work(&peer(1)).unwrap(), Some(work));
    assert_eq!(store.work(&peer(2)).unwrap(), None);
}

#[tokio::test]
async fn a_storm_of_records_is_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::start(Store::open(folder.path(), &network("n")).unwrap()).unwrap();
    for n in 0..5000_u32 {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&n.to_le_bytes());
        let whom = NodeId::from_bytes(id).into();
        writer.store(Record::Ban(Ban { whom, cause: FORGED, until: None }));
    }
    writer.close().await.unwrap();
    let store = Store::open(folder.path(), &network("n")).unwrap();
    assert_eq!(store.records(at(1)).unwrap().len(), 5000);
}

#[test]
fn a_folder_is_private_and_made_with_its_parents() {
    let folder = tempfile::tempdir().unwrap();
    let nested = folder.path().join("a/b");
    Store::open(&nested, &network("n")).unwrap();
    assert_eq!(nested.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(nested.join(FILE).metadata().unwrap().permissions().mode() & 0o077, 0);
}

#[test]
fn a_second_process_is_refused_and_the_first_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &network("n")).unwrap();
    let error = Store::open(folder.path(), &network("n")).unwrap_err();
    assert!(matches!(&error, StoreError::Busy { path } if path.ends_with(FILE)), "{error}");
    store.next_generation(at(1), None).unwrap();
}

#[test]
fn a_folder_belongs_to_one_network() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path(), &network("one")).unwrap());
    let error = Store::open(folder.path(), &network("two")).unwrap_err();
    assert!(
        matches!(&error, StoreError::OtherNetwork { wanted, .. } if wanted == "two"),
        "{error}"
    );
    drop(Store::open(folder.path(), &network("one")).unwrap());
}

#[test]
fn a_file_of_the_first_schema_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &network("n")).unwrap();
    let ban = Record::Ban(Ban { whom: peer(1).into(), cause: FORGED, until: None });
    store.write(std::slice::from_ref(&ban)).unwrap();
    store
        .disk
        .change(|transaction| {
            transaction.open_table(META)?.insert("schema", 1)?;
            transaction.delete_table(NET_BANS)?;
            transaction.delete_table(PEERS)?;
            transaction.delete_table(ANCHORS)?;
            transaction.delete_table(WORK)?;
            Ok(())
        })
        .unwrap();
    drop(store);
    let store = Store::open(folder.path(), &network("n")).unwrap();
    assert_eq!(store.records(at(1)).unwrap(), [ban]);
    assert_eq!(store.work(&peer(1)).unwrap(), None);
}

#[test]
fn a_newer_schema_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let write_schema = |schema: u64| {
        let store = Store::open(folder.path(), &network("n")).unwrap();
        store
            .disk
            .change(|transaction| {
                Ok(transaction.open_table(META)?.insert("schema", schema).map(drop)?)
            })
            .unwrap();
    };
    write_schema(SCHEMA);
    write_schema(SCHEMA + 1);
    let error = Store::open(folder.path(), &network("other")).unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 4, known: SCHEMA, .. }), "{error}");
    assert!(error.to_string().contains("run that version"), "{error}");
}

/// What may become of a file.
fn damages(good: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = vec![
        ("empty".to_owned(), Vec::new()),
        ("text".to_owned(), b"not a database".to_vec()),
        ("zeros".to_owned(), vec![0; good.len()]),
        ("cut".to_owned(), good[..good.len() / 2].to_vec()),
        ("short".to_owned(), good[..50].to_vec()),
    ];
    let is_used = |place: &usize| good[*place..].iter().take(4096).any(|byte| *byte != 0);
    let pages = (0..good.len()).step_by(4096).filter(is_used);
    for place in pages.chain((0..512).step_by(32)) {
        let mut flipped = good.to_vec();
        flipped[place + 1] ^= 0x80;
        all.push((format!("a bit in byte {}", place + 1), flipped));
    }
    all
}

#[test]
fn a_damaged_file_is_named_and_neither_believed_nor_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    let store = Store::open(folder.path(), &network("n")).unwrap();
    let ban = |byte| {
        let whom = peer(byte).into();
        Record::Ban(Ban { whom, cause: FORGED, until: None })
    };
    let records: Vec<_> = (0..200).map(ban).collect();
    store.write(&records).unwrap();
    let (generation, _) = store.next_generation(at(77), None).unwrap();
    drop(store);
    let good = std::fs::read(&path).unwrap();
    let mut named = 0;
    for (name, bytes) in damages(&good) {
        std::fs::write(&path, &bytes).unwrap();
        match Store::open(folder.path(), &network("n")) {
            // What was hit is in no use.
            Ok(store) => {
                assert_eq!(store.records(at(78)).unwrap(), records, "{name}");
                let former = store.next_generation(at(78), None).unwrap().1;
                assert_eq!(former, Some(generation), "{name}");
            }
            Err(StoreError::Corrupt { path: damaged, .. }) => {
                assert_eq!(damaged, path, "{name}");
                assert_eq!(std::fs::read(&path).unwrap().len(), bytes.len(), "{name}");
                named += 1;
            }
            Err(other) => panic!("{name}: {other:?}"),
        }
    }
    assert!(named > 10, "{named}");
}

#[test]
fn a_start_that_was_cut_short_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let aside = folder.path().join("state.redb.new");
    for half in [Vec::new(), b"half".to_vec(), vec![0; 5000]] {
        std::fs::write(&aside, half).unwrap();
        drop(Store::open(folder.path(), &network("n")).unwrap());
        assert!(!aside.exists());
        std::fs::remove_file(folder.path().join(FILE)).unwrap();
    }
}

#[test]
fn a_fault_that_this_version_does_not_know_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &network("n")).unwrap();
    store
        .disk
        .change(|transaction| {
            transaction.open_table(BANS)?.insert([1; 32], ("rudeness", None))?;
            Ok(())
        })
        .unwrap();
    let error = store.records(at(1)).unwrap_err();
    assert!(error.to_string().contains("rudeness"), "{error}");
}

#[test]
fn a_disk_that_was_full_is_written_again_once_there_is_room() {
    let flaky = Flaky::default();
    let backend = flaky.clone();
    let open = move || {
        let opened = Database::builder().create_with_backend(backend.clone());
        opened.map_err(|error| StoreError::open(Path::new("flaky"), error))
    };
    let store = Store::on(Disk::new("flaky".into(), open).unwrap(), &network("n")).unwrap();
    let ban = |byte| {
        let cause = BanCause::Fault(forsooth_protocol::Fault::Forged);
        Record::Ban(Ban { whom: NodeId::from_bytes([byte; 32]).into(), cause, until: None })
    };
    store.write(&[ban(1)]).unwrap();
    flaky.fill(true);
    for _ in 0..2 {
        assert!(matches!(store.write(&[ban(2)]), Err(StoreError::Io { .. })));
    }
    flaky.fill(false);
    store.write(&[ban(2)]).unwrap();
    assert_eq!(store.records(Timestamp::default()).unwrap(), [ban(1), ban(2)]);
}
