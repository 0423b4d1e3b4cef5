//! What of a record goes over a link.

use saddlebag_formats::{ColumnState, Epoch, NodeId, RowState, TimeMs, Value, Version, Writer};
use saddlebag_stores::config::{DeletePolicy, Identity};
use saddlebag_stores::record::Key;

use super::*;

/// The link that is asked about, and another one.
const LINK: LinkId = LinkId(1);
const OTHER: LinkId = LinkId(2);

const UID: Uid = Uid([7; 16]);

fn version(time: i64) -> Version {
    Version { time: TimeMs(time), writer: Writer { node: NodeId([1; 16]), epoch: Epoch(1) } }
}

fn state(seq: u64, source: Option<LinkId>) -> ColumnState {
    let (version, base) = (version(10), Some(version(5)));
    ColumnState { effective: Some(TimeMs(9)), source, base, ..ColumnState::new(version, Seq(seq)) }
}

fn column(id: u16, name: &str) -> TrackedColumn {
    TrackedColumn { absent: None, ..TrackedColumn::absent(id, name, None) }
}

/// A table whose columns have other ids than places.
fn table(number: u32, columns: Vec<TrackedColumn>) -> TrackedTable {
    TrackedTable {
        number,
        name: format!("t{number}"),
        identity: Identity::Assigned,
        direction: Direction::Both,
        key: Vec::new(),
        columns,
        excluded: Vec::new(),
        together: Vec::new(),
        delete: DeletePolicy::Keep,
        unique: Vec::new(),
        needs: Vec::new(),
    }
}

fn notes() -> TrackedTable {
    table(3, vec![column(5, "a"), column(4, "b")])
}

fn link(role: PeerRole) -> Link {
    Link { id: LINK, ..Link::new(NodeId([2; 16]), "there", role, &[], 0) }
}

fn tracking(table: &TrackedTable) -> Tracking {
    Tracking { tables: vec![table.clone()], has_triggers: false }
}

/// What goes to the central of what lies in `(10, 20]`.
fn up<'a>(table: &'a TrackedTable, tracking: &Tracking) -> Choice<'a> {
    Choice::new(table, tracking, &link(PeerRole::Central), Seq(10), Seq(20))
}

fn record(a: ColumnState, b: ColumnState) -> Record {
    Record {
        uid: UID,
        key: Key(Vec::new()),
        state: RowState::from_columns(&[(4, b), (5, a)]).unwrap(),
        hash: 0,
        values: vec![Value::Integer(1), Value::Integer(2)],
        unknown: Vec::new(),
    }
}

/// The columns that go, by index, and whether they are all.
fn goes(record: Record) -> Option<(bool, Vec<u16>)> {
    let table = notes();
    let change = up(&table, &tracking(&table)).write(record)?;
    let Action::Write { whole, columns } = change.action else { panic!("a live record") };
    Some((whole, columns.iter().map(|column| column.column).collect()))
}

#[test]
fn a_column_goes_that_changed_after_what_the_receiver_has() {
    assert_eq!(goes(record(state(10, None), state(10, None))), None, "the receiver has what lies up to its position");
    assert_eq!(goes(record(state(11, None), state(10, None))), Some((false, vec![0])));
    assert_eq!(goes(record(state(11, None), state(20, None))), Some((true, vec![0, 1])));
}

#[test]
fn what_changed_later_than_this_stretch_comes_along_but_is_no_reason_to_go() {
    assert_eq!(goes(record(state(20, None), state(21, None))), Some((true, vec![0, 1])));
    assert_eq!(goes(record(state(21, None), state(22, None))), None);
}

#[test]
fn a_column_is_withheld_from_the_link_that_it_came_over_and_from_no_other() {
    assert_eq!(goes(record(state(11, Some(LINK)), state(11, Some(OTHER)))), Some((false, vec![1])));
    assert_eq!(goes(record(state(11, Some(LINK)), state(11, Some(LINK)))), None);
}

#[test]
fn a_column_of_which_nothing_is_known_is_not_there_and_the_record_is_whole_without_it() {
    let unknown = |a, b| Record { unknown: vec![4], ..record(a, b) };
    assert_eq!(goes(unknown(state(11, None), state(11, None))), Some((true, vec![0])));
    assert_eq!(goes(unknown(state(10, None), state(11, None))), None);
}

#[test]
fn a_column_goes_with_its_versions_and_its_base_only_to_a_central() {
    let table = notes();
    let tracking = tracking(&table);
    let first = |role| {
        let choice = Choice::new(&table, &tracking, &link(role), Seq(0), Seq(20));
        let Action::Write { columns, .. } = choice.write(record(state(11, None), state(12, None))).unwrap().action
        else {
            panic!("a live record")
        };
        columns[0].clone()
    };
    let sent = ColumnChange {
        column: 0,
        value: Value::Integer(1),
        version: version(10),
        base: Some(version(5)),
        seq: Seq(11),
        effective: Some(TimeMs(9)),
    };
    assert_eq!(first(PeerRole::Central), sent);
    assert_eq!(first(PeerRole::Satellite), ColumnChange { base: None, ..sent });
}

#[test]
fn a_deletion_goes_with_what_it_had_seen_but_not_where_it_came_from() {
    let table = notes();
    let tracking = tracking(&table);
    let tombstone = |source| Tombstone {
        uid: UID,
        table: 3,
        version: version(30),
        seq: Seq(12),
        source,
        state: record(state(11, None), state(11, Some(OTHER))).state,
        values: Vec::new(),
        same_as: Some(Uid([8; 16])),
    };
    let choice = up(&table, &tracking);
    assert_eq!(choice.deletion(&tombstone(Some(LINK))), None);
    let change = choice.deletion(&tombstone(Some(OTHER))).unwrap();
    let Action::Delete { version: deleted, seq, seen, same_as } = change.action else { panic!("a deletion") };
    assert_eq!((change.uid, deleted, seq, same_as), (UID, version(30), Seq(12), Some(Uid([8; 16]))));
    for index in [0, 1] {
        assert_eq!(seen.of(index), Seen { version: version(10), base: Some(version(5)) });
    }
}

#[test]
fn a_record_goes_if_some_bundle_can_carry_it() {
    let table = notes();
    let tracking = tracking(&table);
    let choice = up(&table, &tracking);
    let large = |bytes| {
        let values = vec![Value::Blob(vec![0; bytes - 1]), Value::Text("x".to_owned())];
        choice.write(Record { values, ..record(state(11, None), state(11, None)) }).unwrap()
    };
    let mut too_large = Vec::new();
    assert!(choice.fits(&large(RECORD_BYTES_MAX), &mut too_large));
    assert_eq!(too_large, []);
    assert!(!choice.fits(&large(RECORD_BYTES_MAX + 1), &mut too_large));
    assert_eq!(too_large, [TooLarge { table: 3, uid: UID, bytes: RECORD_BYTES_MAX + 1 }]);
}

#[test]
fn a_tables_direction_says_who_gets_it() {
    let to = |direction| [PeerRole::Central, PeerRole::Satellite].map(|peer| travels(direction, peer));
    assert_eq!(to(Direction::Both), [true, true]);
    assert_eq!(to(Direction::Up), [true, false]);
    assert_eq!(to(Direction::Down), [false, true]);
    assert_eq!(to(Direction::Match), [false, false]);
}

#[test]
fn a_table_is_described_with_what_its_columns_refer_to_here_or_elsewhere() {
    let parent = table(1, Vec::new());
    let refers = TrackedColumn { reference: Some(1), ..column(0, "parent") };
    let elsewhere = TrackedColumn::absent(2, "ward", Some("ward".to_owned()));
    let child = table(2, vec![refers, column(1, "plain"), elsewhere]);
    let tracking = Tracking { tables: vec![parent, child.clone()], has_triggers: false };
    let described = |name: &str, references: Option<&str>| ColumnDescription {
        name: name.to_owned(),
        references: references.map(str::to_owned),
    };
    let columns = vec![described("parent", Some("t1")), described("plain", None), described("ward", Some("ward"))];
    let description = TableDescription { name: "t2".to_owned(), identity: "assigned".to_owned(), columns };
    assert_eq!(describe(&child, &tracking), description);
}

#[test]
fn what_waits_is_counted_by_whether_bundles_cover_it() {
    let table = notes();
    let counted = |records: &[RecordChange]| {
        let mut counts = Unacknowledged::default();
        records.iter().for_each(|record| counts.add(record, Seq(15)));
        (counts.sent, counts.unsent)
    };
    let written = |a, b| up(&table, &tracking(&table)).write(record(state(a, None), state(b, None))).unwrap();
    let deleted = |seq| {
        let seen = SeenVersions { row: Seen { version: version(1), base: None }, columns: Vec::new() };
        let action = Action::Delete { version: version(9), seq: Seq(seq), seen, same_as: None };
        RecordChange { uid: UID, action }
    };
    assert_eq!(counted(&[written(15, 14), deleted(15)]), (2, 0));
    assert_eq!(counted(&[written(16, 17), deleted(16), deleted(17)]), (0, 3));
    assert_eq!(counted(&[written(15, 16)]), (1, 1), "one that changed before and after counts for both");
}
