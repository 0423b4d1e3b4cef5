//! Arbitrary changes, and payloads around them.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use saddlebag_formats::{
    Action, Binding, BundleId, BundleNumber, ColumnChange, ColumnDescription, DeploymentId, Epoch, Health, NodeId,
    Outcome, Payload, Receipt, RecordChange, Seen, SeenVersions, Seq, TableChanges, TableDescription, TimeMs, Uid,
    Value, Version, Writer,
};

pub(crate) const COLUMNS: u16 = 6;

pub(crate) fn payload(changes: Vec<TableChanges>) -> Payload {
    Payload {
        binding: Binding {
            deployment: DeploymentId([1; 16]),
            id: BundleId([2; 16]),
            from: NodeId([3; 16]),
            to: NodeId([4; 16]),
            epoch: Epoch::new(1, 5),
            number: BundleNumber(17),
            after: Seq(1200),
            upto: Seq(1389),
            nodes_known: 2,
            nodes: Some(vec![7; 40]),
            trail: vec![[1, 2, 3, 4]],
            anew: None,
            common: None,
            entries: Vec::new(),
            refused_entries: Vec::new(),
        },
        health: Health { software: "saddlebag 0.1.0".into(), clock: TimeMs(1_795_256_100_000), ..Health::default() },
        receipts: vec![Receipt {
            table: "patient".into(),
            uid: Uid([9; 16]),
            column: None,
            outcome: Outcome::Parked,
            reason: "waits for its village".into(),
        }],
        changes,
    }
}

pub(crate) fn writer(number: u8) -> Writer {
    Writer { node: NodeId([number; 16]), epoch: Epoch::new(1, number.into()) }
}

/// Few enough to meet again, some sharing their first 12 bytes.
pub(crate) fn uid() -> impl Strategy<Value = Uid> {
    (0u8..4, prop_oneof![0u32..6, any::<u32>()]).prop_map(|(prefix, last)| {
        let mut uid = [prefix; 16];
        uid[12..].copy_from_slice(&last.to_be_bytes());
        Uid(uid)
    })
}

fn version() -> impl Strategy<Value = Version> {
    let time = prop_oneof![Just(0), 1_795_000_000_000..1_795_000_100_000i64, any::<i64>()];
    (time, 0u8..3).prop_map(|(time, by)| Version { time: TimeMs(time), writer: writer(by) })
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        (0i64..5).prop_map(Value::Integer),
        any::<i64>().prop_map(Value::Integer),
        (0i64..500).prop_map(|tenths| Value::Real(tenths as f64 / 10.0)),
        any::<u64>().prop_map(|bits| Value::Real(f64::from_bits(bits))),
        "[a-c]{0,2}".prop_map(Value::Text),
        ".{0,8}".prop_map(Value::Text),
        vec(any::<u8>(), 0..6).prop_map(Value::Blob),
        vec(any::<u8>(), 0..6).prop_map(Value::RawText),
        uid().prop_map(Value::Reference),
        uid().prop_map(|uid| Value::Text(uid.to_string())),
        "[0-9]{1,3}".prop_map(Value::Dangling),
        ("[a-c.]{1,3}", uid()).prop_map(|(table, uid)| Value::NamedReference(table, uid)),
    ]
}

/// A column that keeps to one kind of value, mostly.
fn values() -> impl Strategy<Value = Vec<Value>> {
    let texts = "[a-c]{0,3}".prop_map(Value::Text);
    let null = || Just(Value::Null);
    prop_oneof![
        vec(value(), 40),
        vec(prop_oneof![1 => null(), 3 => any::<i64>().prop_map(Value::Integer)], 40),
        vec(prop_oneof![1 => null(), 3 => (0i64..500).prop_map(|n| Value::Real(n as f64 / 10.0))], 40),
        vec(prop_oneof![1 => null(), 3 => any::<f64>().prop_map(Value::Real)], 40),
        vec(prop_oneof![1 => null(), 3 => texts], 40),
        vec(prop_oneof![1 => null(), 3 => ".{0,9}".prop_map(Value::Text)], 40),
        vec(prop_oneof![1 => null(), 3 => uid().prop_map(Value::Reference)], 40),
        value().prop_map(|value| vec![value; 40]),
    ]
}

fn layer() -> impl Strategy<Value = ColumnChange> {
    let effective = proptest::option::of(any::<i64>().prop_map(TimeMs));
    let seq = prop_oneof![0u64..100, any::<u64>()];
    (version(), proptest::option::of(version()), effective, seq).prop_map(|(version, base, effective, seq)| {
        ColumnChange { column: 0, value: Value::Null, version, base, seq: Seq(seq), effective }
    })
}

fn seen() -> impl Strategy<Value = Seen> {
    (version(), proptest::option::of(version())).prop_map(|(version, base)| Seen { version, base })
}

fn action() -> impl Strategy<Value = Action> {
    let write = (any::<bool>(), layer(), btree_map(0..COLUMNS, proptest::option::weighted(0.2, layer()), 0..6));
    let write = write.prop_map(|(whole, row, columns)| {
        let column = |(column, own): (u16, Option<ColumnChange>)| ColumnChange { column, ..own.unwrap_or(row.clone()) };
        Action::Write { whole, columns: columns.into_iter().map(column).collect() }
    });
    let same_as = proptest::option::weighted(0.3, uid());
    let delete = (version(), any::<u64>(), seen(), btree_map(0..COLUMNS, seen(), 0..3), same_as);
    let delete = delete.prop_map(|(version, seq, row, columns, same_as)| Action::Delete {
        version,
        seq: Seq(seq),
        seen: SeenVersions { row, columns: columns.into_iter().collect() },
        same_as,
    });
    prop_oneof![4 => write, 1 => delete]
}

pub(crate) fn description(name: &str, columns: u16) -> TableDescription {
    let column =
        |n: u16| ColumnDescription { name: format!("column_{n}"), references: (n == 2).then(|| "village".to_owned()) };
    TableDescription {
        name: name.to_owned(),
        identity: "natural(column_0)".to_owned(),
        columns: (0..columns).map(column).collect(),
    }
}

fn table() -> impl Strategy<Value = TableChanges> {
    let records = vec((uid(), action(), any::<bool>()), 0..30);
    ("[a-z]{1,6}", records, vec(values(), usize::from(COLUMNS))).prop_map(|(name, records, values)| {
        let fill = |(row, (uid, mut action, own)): (usize, (Uid, Action, bool))| {
            if let Action::Write { columns, .. } = &mut action {
                for column in columns {
                    column.value = values[usize::from(column.column)][row].clone();
                    if own && column.column == 0 {
                        column.value = Value::Text(uid.to_string());
                    }
                }
            }
            RecordChange { uid, action }
        };
        TableChanges {
            table: description(&name, COLUMNS),
            records: records.into_iter().enumerate().map(fill).collect(),
        }
    })
}

pub(crate) fn changes() -> impl Strategy<Value = Vec<TableChanges>> {
    vec(table(), 0..4)
}
