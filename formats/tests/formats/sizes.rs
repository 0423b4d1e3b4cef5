//! What a record costs on a link of 1 kbit/s.

use saddlebag_formats::ambient::Entropy;
use saddlebag_formats::{
    Action, AssignedUids, ColumnChange, NodeId, RecordChange, Seq, TableChanges, TimeMs, Uid, Value, Version, pack,
};

use crate::records::{description, payload, writer};

const RECORDS: u64 = 1000;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

impl Entropy for Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.below(256) as u8);
    }
}

/// A day's work: a new record every few seconds to minutes, eight columns.
fn observations(random: &mut Random, values: impl Fn(&mut Random, u16) -> Value) -> Vec<RecordChange> {
    let mut uids = AssignedUids::new(NodeId([1; 16]), random);
    let mut time = 1_795_000_000_000;
    let record = |n: u64| {
        time += 2_000 + random.below(60_000) as i64;
        let column = |column: u16| ColumnChange {
            column,
            value: values(random, column),
            version: Version { time: TimeMs(time), writer: writer(1) },
            base: None,
            seq: Seq(5_000 + n),
            effective: None,
        };
        let columns = (0..8).map(column).collect();
        RecordChange { uid: uids.next_uid(), action: Action::Write { whole: true, columns } }
    };
    (0..RECORDS).map(record).collect()
}

fn packed_bytes(records: Vec<RecordChange>) -> usize {
    pack(&payload(vec![TableChanges { table: description("observation", 8), records }]), 19).unwrap().len()
}

#[test]
fn uid_and_versions_cost_less_than_four_bytes_a_record() {
    let empty = packed_bytes(Vec::new());
    let bytes = packed_bytes(observations(&mut Random(7), |_, _| Value::Null)) - empty;
    assert!(bytes < 4 * RECORDS as usize, "{bytes} bytes for {RECORDS} records");
}

#[test]
fn a_plausible_record_of_eight_columns_costs_little_more_than_its_values() {
    let values = |random: &mut Random, column: u16| match column {
        0 => Value::Reference(Uid([random.below(50) as u8; 16])),
        1 => Value::Integer(random.below(8) as i64),
        2 => Value::Real((350 + random.below(60)) as f64 / 10.0),
        3 => Value::Text(["weight", "height", "temperature", "pulse"][random.below(4) as usize].to_owned()),
        4 => Value::Integer(1),
        5 => Value::Null,
        6 => Value::Text("2026-11-21".to_owned()),
        _ => Value::Text(if random.below(10) == 0 { "see notes" } else { "" }.to_owned()),
    };
    let empty = packed_bytes(Vec::new());
    let bytes = packed_bytes(observations(&mut Random(7), values)) - empty;
    assert!(bytes < 8 * RECORDS as usize, "{bytes} bytes for {RECORDS} records");
}

#[test]
fn an_empty_bundle_is_small() {
    let bytes = packed_bytes(Vec::new());
    assert!(bytes < 300, "{bytes} bytes");
}

#[test]
fn a_column_that_repeats_the_uid_costs_nothing() {
    let with = |own: bool| {
        let mut random = Random(3);
        let mut records = observations(&mut random, |_, _| Value::Null);
        for record in &mut records {
            random.fill(&mut record.uid.0);
            let text = record.uid.to_string();
            let Action::Write { columns, .. } = &mut record.action else { unreachable!("all are written") };
            columns[0].value = if own { Value::Text(text) } else { Value::Null };
        }
        packed_bytes(records)
    };
    assert!(with(true) <= with(false) + 16);
}
