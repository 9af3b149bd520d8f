use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use forsooth_crypto::{Keypair, NodeId};
use forsooth_protocol::{
    Publication, Slot,
    network::{Defence, Kind, Policy, Retention, Topic},
};
use redb::Database;

use super::*;
use crate::archive::Archive;

const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn network() -> Arc<Network> {
    let retention = Some(Retention::of(Duration::from_secs(3600)));
    let topic = |name| Topic { retention, ..Topic::new(name, Policy::Verified) };
    let topics = vec![topic("a"), topic("b")];
    Arc::new(Network::new("n", Kind::Local, topics, Defence::recommended(Kind::Local)).unwrap())
}

fn publication(network: &Network, topic: &str, seq: u64) -> Publication {
    let key = Keypair::from_seed([7; 32]);
    let topic = network.topic_id(topic).unwrap();
    let slot = Slot { author: key.id(), topic, generation: 1, seq };
    let payload = Bytes::from(vec![1; 100]);
    Publication::sign(slot, BEGIN, Duration::from_secs(60), payload, &key, network)
}

/// A file as schema 1 wrote it: of topic `a` the places 5 to 7, of `b` the place 0.
fn write_first(path: &std::path::Path, network: &Network) {
    let database = Database::create(path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        transaction.open_table(META).unwrap().insert("schema", 1).unwrap();
        let owner = *network.digest().as_bytes();
        transaction.open_table(IDENTITY).unwrap().insert("network", owner).unwrap();
        let mut topics = transaction.open_table(first::TOPICS).unwrap();
        let mut messages = transaction.open_table(first::MESSAGES).unwrap();
        let mut places = transaction.open_table(first::PLACES).unwrap();
        for (topic, place) in [("a", 5), ("a", 6), ("a", 7), ("b", 0)] {
            let message = publication(network, topic, place);
            let index = network.topic_id(topic).unwrap().index();
            let mut value = message.id().as_bytes().to_vec();
            value.extend(BEGIN.as_millis().to_le_bytes());
            value.extend((BEGIN.as_millis() + place).to_le_bytes());
            value.extend([2, 0, 1, 0]);
            [1, 2, 3].iter().for_each(|byte| value.extend([*byte; 32]));
            value.extend(message.frame());
            messages.insert((index, place), value.as_slice()).unwrap();
            places.insert((index, *message.id().as_bytes()), place).unwrap();
            topics.insert(index, (place, place + 1, value.len() as u64)).unwrap();
        }
    }
    transaction.commit().unwrap();
}

fn schema(disk: &Disk) -> u64 {
    disk.look(|transaction| {
        Ok(transaction.open_table(META)?.get("schema")?.map_or(0, |schema| schema.value()))
    })
    .unwrap()
}

#[test]
fn a_file_of_the_first_schema_is_taken_over_once() {
    let folder = tempfile::tempdir().unwrap();
    let network = network();
    write_first(&folder.path().join("messages.redb"), &network);
    for _ in 0..2 {
        let archive = Archive::open(Some(folder.path()), &network).unwrap();
        let topic = network.topic_id("a").unwrap();
        let read = archive.read(topic, 0).unwrap();
        assert_eq!(read.iter().map(|(_, message)| message.seq).collect::<Vec<_>>(), [5, 6, 7]);
        let (_, message) = &read[1];
        assert_eq!(message.id, publication(&network, "a", 6).id());
        assert_eq!(message.accepted.as_millis(), BEGIN.as_millis() + 6);
        let node = |byte| NodeId::from_bytes([byte; 32]);
        assert_eq!(message.vouchers, [node(1), node(2)]);
        assert_eq!(message.attestors, [node(3)]);
        let (_, holding) = archive.holdings().unwrap()[0];
        assert_eq!((holding.messages, holding.accepted, holding.first), (3, 3, 0));
        assert_eq!(archive.read(network.topic_id("b").unwrap(), 0).unwrap().len(), 1);
        assert_eq!(schema(&archive.disk), SCHEMA);
        let old = archive.disk.look(|transaction| {
            Ok(transaction.list_tables()?.any(|table| redb::TableHandle::name(&table) == "places"))
        });
        assert!(!old.unwrap(), "the old tables are gone");
    }
}

#[test]
fn a_damaged_file_of_the_first_schema_is_named_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let network = network();
    let path = folder.path().join("messages.redb");
    write_first(&path, &network);
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(first::MESSAGES).unwrap().insert((0, 6), &b"no message"[..]).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let refused = Archive::open(Some(folder.path()), &network).unwrap_err();
    assert!(matches!(&refused, StoreError::DamagedMessages { path: named, .. } if *named == path));
    let database = Database::create(&path).unwrap();
    let transaction = redb::ReadableDatabase::begin_read(&database).unwrap();
    assert!(transaction.open_table(first::MESSAGES).is_ok());
}

#[test]
fn a_newer_schema_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let network = network();
    let archive = Archive::open(Some(folder.path()), &network).unwrap();
    archive
        .disk
        .change(|transaction| {
            Ok(transaction.open_table(META)?.insert("schema", SCHEMA + 1).map(drop)?)
        })
        .unwrap();
    drop(archive);
    let refused = Archive::open(Some(folder.path()), &network).unwrap_err();
    assert!(
        matches!(refused, StoreError::NewerSchema { found: 3, known: SCHEMA, .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("run that version"), "{refused}");
}
