//! What is packed comes back.

use proptest::prelude::*;
use saddlebag_formats::members::{decode_change, encode_change};
use saddlebag_formats::{
    Action, ColumnChange, Levels, Payload, PayloadReader, PayloadWriter, RecordChange, Seen, SeenVersions, Seq,
    TableChanges, TimeMs, Uid, Value, Version, pack, unpack,
};
use sha2::{Digest, Sha256};

use crate::records::{changes, description, payload, writer};

proptest! {
    #[test]
    fn payloads_come_back(changes in changes()) {
        let payload = payload(changes);
        let packed = pack(&payload, 3).unwrap();
        prop_assert_eq!(&packed, &pack(&payload, 3).unwrap());
        prop_assert_eq!(unpack(packed.as_slice()).unwrap(), payload);
    }

    /// However many pieces the records come in, the bytes are the same, and they come back member by member.
    #[test]
    fn payloads_come_in_pieces(changes in changes(), piece in 1usize..40) {
        let payload = payload(changes);
        let packed = in_pieces(&payload, piece);
        let whole = in_pieces(&payload, usize::MAX);
        prop_assert_eq!(&packed, &whole);
        if !payload.changes.iter().zip(payload.changes.iter().skip(1)).any(|(a, b)| a.table == b.table) {
            prop_assert_eq!(&packed, &pack(&payload, 3).unwrap());
            prop_assert_eq!(unpack(packed.as_slice()).unwrap(), payload);
        }
        let mut reader = PayloadReader::new(packed.as_slice()).unwrap();
        let mut records = 0;
        while let Some(tables) = reader.next_changes().unwrap() {
            records += tables.iter().map(|table| table.records.len()).sum::<usize>();
        }
        prop_assert_eq!(reader.counts().records, records);
        let counts = reader.finish().unwrap();
        prop_assert_eq!(counts, PayloadReader::new(packed.as_slice()).unwrap().finish().unwrap());
    }

    #[test]
    fn single_changes_come_back(changes in changes()) {
        for table in &changes {
            for record in &table.records {
                let bytes = encode_change(&table.table, record).unwrap();
                prop_assert_eq!(decode_change(&bytes).unwrap(), (table.table.clone(), record.clone()));
            }
        }
    }
}

fn in_pieces(payload: &Payload, piece: usize) -> Vec<u8> {
    let Payload { binding, health, receipts, changes } = payload;
    let mut writer = PayloadWriter::new(binding, health, receipts, Levels::always(3), Vec::new()).unwrap();
    for TableChanges { table, records } in changes {
        if records.is_empty() {
            writer.changes(vec![TableChanges { table: table.clone(), records: Vec::new() }]).unwrap();
        }
        for records in records.chunks(piece) {
            writer.changes(vec![TableChanges { table: table.clone(), records: records.to_vec() }]).unwrap();
        }
    }
    writer.finish().unwrap()
}

#[test]
fn a_table_that_fills_three_members_comes_back_as_one() {
    let write = |n: u32| {
        let mut uid = [5; 16];
        uid[12..].copy_from_slice(&n.to_be_bytes());
        RecordChange { uid: Uid(uid), action: Action::Write { whole: false, columns: Vec::new() } }
    };
    let records = (0..25_000).map(write).collect();
    let payload = payload(vec![TableChanges { table: description("patient", 3), records }]);
    let packed = pack(&payload, 1).unwrap();
    let unpacked = zstd::decode_all(packed.as_slice()).unwrap();
    let mut archive = tar::Archive::new(unpacked.as_slice());
    let names: Vec<_> =
        archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["bundle", "health", "receipts", "changes/0000", "changes/0001", "changes/0002"]);
    assert_eq!(unpack(packed.as_slice()).unwrap(), payload);
    assert_eq!(zstd::decode_all(in_pieces(&payload, 4_999).as_slice()).unwrap(), unpacked);
    let mut reader = PayloadReader::new(packed.as_slice()).unwrap();
    assert_eq!((reader.binding(), reader.health()), (&payload.binding, &payload.health));
    assert_eq!(reader.take_receipts(), payload.receipts);
    let mut sizes = Vec::new();
    while let Some(tables) = reader.next_changes().unwrap() {
        sizes.extend(tables.iter().map(|table| table.records.len()));
    }
    assert_eq!(sizes, [10_000, 10_000, 5_000]);
}

fn version(time: i64) -> Version {
    Version { time: TimeMs(time), writer: writer(0xaa) }
}

fn column(column: u16, value: Value) -> ColumnChange {
    ColumnChange { column, value, version: version(1_795_256_100_000), base: None, seq: Seq(1201), effective: None }
}

/// A patient called Ada, as `docs/format.md` takes her apart.
fn example() -> RecordChange {
    let columns = vec![column(0, Value::Text("Ada".into())), column(1, Value::Integer(36))];
    RecordChange { uid: Uid([0xbb; 16]), action: Action::Write { whole: true, columns } }
}

#[test]
fn the_documented_example_is_what_is_written() {
    let written = hex::encode(encode_change(&description("patient", 2), &example()).unwrap());
    let documented: String = include_str!("../../../docs/format.md")
        .split_once("<!-- example -->")
        .and_then(|(_, after)| after.split_once("<!-- end -->"))
        .expect("the document marks its example")
        .0
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split_once('`'))
        .map(|(bytes, _)| bytes.replace(' ', ""))
        .collect();
    assert_eq!(documented, written);
}

/// Bundles of every released version are read for ever: if this fails, the format has changed.
#[test]
fn the_bytes_are_fixed() {
    let mut based = column(1, Value::Real(36.6));
    based.base = Some(version(5));
    based.effective = Some(TimeMs(1_795_256_000_000));
    let part = Action::Write { whole: false, columns: vec![based, column(2, Value::Reference(Uid([0xcc; 16])))] };
    let seen = Seen { version: version(7), base: Some(version(6)) };
    let delete = Action::Delete {
        version: version(9),
        seq: Seq(1202),
        seen: SeenVersions { row: seen, columns: vec![(1, Seen { version: version(8), base: None })] },
        same_as: Some(Uid([0xce; 16])),
    };
    let record = |byte, action| RecordChange { uid: Uid([byte; 16]), action };
    let records = vec![example(), record(0xbc, part), record(0xbd, delete)];
    let payload = payload(vec![TableChanges { table: description("patient", 3), records }]);
    let packed = pack(&payload, 3).unwrap();
    assert_eq!(unpack(packed.as_slice()).unwrap(), payload);
    let archive = zstd::decode_all(packed.as_slice()).unwrap();
    assert_eq!(
        hex::encode(Sha256::digest(&archive)),
        "3db5d9fb4431243cabee51a71438c28f82a76c8600c54ba677bf686d1829436b"
    );
}
