//! What is to become of a record, case by case: no database in it.

use saddlebag_formats::{Epoch, LinkId, Writer};
use saddlebag_stores::config::Identity;

use super::*;

mod deleted;
mod deleting;
mod updates;

const UID: Uid = Uid([7; 16]);

/// Where the change that is planned has its place here.
const SEQ: Seq = Seq(50);

/// The link that changes come over, the link to another satellite, and that of a district to its central.
const LINK: LinkId = LinkId(1);
const OTHER: LinkId = LinkId(2);
const UPLINK: LinkId = LinkId(5);

/// The places of the columns, which have other ids.
const CODE: usize = 0;
const NAME: usize = 1;
const PHONE: usize = 2;

fn version(time: i64, node: u8) -> Version {
    Version { time: TimeMs(time), writer: Writer { node: NodeId([node; 16]), epoch: Epoch(1) } }
}

fn state(version: Version, source: Option<LinkId>, seq: u64) -> ColumnState {
    ColumnState { source, ..ColumnState::new(version, Seq(seq)) }
}

fn column(id: u16, name: &str) -> TrackedColumn {
    TrackedColumn { absent: None, ..TrackedColumn::absent(id, name, None) }
}

/// Patients, whom their code names.
fn patients() -> TrackedTable {
    TrackedTable {
        number: 4,
        name: "patient".to_owned(),
        identity: Identity::Natural(vec!["code".to_owned()]),
        direction: Direction::Both,
        key: Vec::new(),
        columns: vec![column(9, "code"), column(8, "name"), column(7, "phone")],
        excluded: vec!["nickname".to_owned()],
        together: Vec::new(),
        delete: DeletePolicy::Keep,
        unique: Vec::new(),
        needs: Vec::new(),
    }
}

fn central() -> Setting {
    Setting {
        side: Side::Central,
        link: LINK,
        uplink: None,
        acknowledged: Seq(0),
        me: Writer { node: NodeId([9; 16]), epoch: Epoch(1) },
        went_on_from: Seq(0),
        left: None,
        is_late: false,
    }
}

fn satellite(acknowledged: u64) -> Setting {
    Setting { side: Side::Satellite, uplink: Some(LINK), acknowledged: Seq(acknowledged), ..central() }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// What came of one column.
fn came(name: &str, value: &str, version: Version, base: Option<Version>) -> (String, IncomingColumn) {
    let new = New { value: text(value), version, base, effective: None, known: None };
    (name.to_owned(), IncomingColumn { new, references: None, seq: Seq(3) })
}

fn incoming(action: IncomingAction) -> Incoming {
    Incoming {
        table: "patient".to_owned(),
        identity: "natural(code)".to_owned(),
        uid: UID,
        action,
        seq: Seq(3),
        merged_from: None,
        after: Seq(0),
        held_as: None,
    }
}

fn writes(whole: bool, columns: impl IntoIterator<Item = (String, IncomingColumn)>) -> Incoming {
    incoming(IncomingAction::Write { whole, columns: columns.into_iter().collect() })
}

/// A record here, all of whose columns have one state.
fn stands(state: ColumnState) -> Record {
    Record {
        uid: UID,
        key: Key(vec![Value::Integer(1)]),
        state: RowState::uniform(state),
        hash: 0,
        values: vec![text("K1"), text("Ann"), text("123")],
        unknown: Vec::new(),
    }
}

fn plan(table: &TrackedTable, setting: Setting, incoming: &Incoming, known: Option<&Known>) -> Planned {
    let tracking = Tracking { tables: vec![table.clone()], has_triggers: false };
    let (me, now, names) = (setting.me.node, TimeMs(1_000), HashMap::new());
    let planner = Planner { setting, tracking: &tracking, now, clock_doubted: false, me, names: &names };
    planner.plan(0, incoming, known, SEQ)
}

fn written(planned: Planned) -> Write {
    let Planned::Write(write) = planned else { panic!("{planned:?}") };
    *write
}

fn quarantined(planned: Planned) -> String {
    let Planned::Hold(HeldKind::Quarantined, reason) = planned else { panic!("{planned:?}") };
    reason
}

/// Why a new record would be quarantined.
fn refused(table: &TrackedTable, incoming: &Incoming) -> String {
    quarantined(plan(table, central(), incoming, None))
}

fn new_patient() -> [(String, IncomingColumn); 3] {
    let at = version(20, 1);
    [came("code", "K1", at, None), came("name", "Ann", at, None), came("phone", "123", at, None)]
}

#[test]
fn a_record_that_was_never_here_is_made_of_a_whole_change_only() {
    let table = patients();
    let made = written(plan(&table, central(), &writes(true, new_patient()), None));
    let values = [text("K1"), text("Ann"), text("123")];
    assert_eq!((made.uid, made.key, made.hash), (UID, None, table.row_hash(UID, &values)));
    assert_eq!(made.values.into_values().collect::<Vec<_>>(), values);
    assert_eq!(made.state, RowState::uniform(state(version(20, 1), Some(LINK), SEQ.0)));
    assert!(made.aside.is_empty() && made.conflicts.is_empty());
    assert!(refused(&table, &writes(false, new_patient())).contains("never had"));
}

#[test]
fn what_this_schema_lacks_is_set_aside() {
    let mut table = patients();
    table.columns[PHONE] = TrackedColumn::absent(7, "phone", None);
    let made = written(plan(&table, central(), &writes(true, new_patient()), None));
    assert_eq!(made.aside, BTreeMap::from([(PHONE, Aside { shown: None, why: BesideWhy::NoColumn })]));
}

#[test]
fn two_ends_that_do_not_agree_on_a_table_change_nothing() {
    let table = patients();
    let unknown = Incoming { table: "visit".to_owned(), ..writes(true, new_patient()) };
    assert!(refused(&table, &unknown).contains("`visit`"));
    let matched = TrackedTable { direction: Direction::Match, ..patients() };
    assert!(refused(&matched, &writes(true, new_patient())).contains("only matched"));
    let assigned = Incoming { identity: "assigned".to_owned(), ..writes(true, new_patient()) };
    assert!(refused(&table, &assigned).contains("`assigned` at the sender"));
    let mut more = new_patient();
    more[2] = came("weight", "70", version(20, 1), None);
    assert!(refused(&table, &writes(true, more)).contains("only this place's own"));
    let mut excluded = new_patient();
    excluded[2] = came("nickname", "Annie", version(20, 1), None);
    let made = written(plan(&table, central(), &writes(true, excluded), None));
    assert_eq!(made.values.keys().collect::<Vec<_>>(), [&CODE, &NAME], "what stays at home stays as it is");
}

#[test]
fn a_version_lies_before_the_year_10000() {
    let at = |time| {
        let mut patient = new_patient();
        patient[1] = came("name", "Ann", version(time, 1), None);
        plan(&patients(), central(), &writes(true, patient), None)
    };
    written(at(TIME_MS_MAX - 1));
    written(at(TIME_MS_MAX));
    assert!(quarantined(at(TIME_MS_MAX + 1)).contains("9999"));
}

#[test]
fn a_value_fits_what_its_column_is_here() {
    let plain = column(1, "c");
    let refers = TrackedColumn { reference: Some(2), ..plain.clone() };
    let names = TrackedColumn { names_its_table: true, ..plain.clone() };
    let why = |column: &TrackedColumn, value: Value| misfit(&patients(), column, &value);
    let (reference, named) = (|| Value::Reference(UID), || Value::NamedReference("t".to_owned(), UID));
    for column in [&plain, &refers, &names] {
        assert_eq!(why(column, Value::Null), None);
        assert_eq!(why(column, Value::Dangling("7".to_owned())), None);
    }
    assert_eq!([why(&plain, text("x")), why(&names, text("x"))], [None, None]);
    assert_eq!([why(&plain, reference()), why(&refers, reference())], [None, None]);
    assert_eq!([why(&plain, named()), why(&names, named())], [None, None]);
    let why = |column: &TrackedColumn, value: Value| why(column, value).unwrap();
    assert!(why(&names, reference()).ends_with("`c` of `patient` names its table here, and does not at the sender"));
    assert!(why(&refers, named()).ends_with("names its table at the sender, and does not here"));
    assert!(why(&refers, text("x")).ends_with("is a reference here and none at the sender"));
}

#[test]
fn columns_are_treated_as_their_table_says() {
    let mut table = patients();
    table.columns[NAME].is_quiet = true;
    table.columns[PHONE].conflicts = saddlebag_stores::config::ConflictPolicy::Ask;
    let of = |index| {
        let new = New { value: Value::Null, version: version(1, 1), base: None, effective: None, known: None };
        treatment(&table, &[(index, new)])
    };
    assert_eq!(of(CODE), Treatment::default());
    assert!(of(NAME).is_quiet && !of(PHONE).is_quiet);
    assert_eq!(of(PHONE).policy, saddlebag_stores::config::ConflictPolicy::Ask);
}

#[test]
fn a_record_that_stays_travels_to_everybody_but_a_central_that_sent_it() {
    let table = patients();
    let district = Setting { uplink: Some(UPLINK), acknowledged: Seq(10), ..central() };
    let sources = [(9, Some(UPLINK)), (8, Some(OTHER)), (7, None)];
    let columns = sources.map(|(id, source)| (id, state(version(20, 3), source, 12)));
    let staying = state_of_staying(&table, &RowState::from_columns(&columns).unwrap(), &district, SEQ);
    let seen = [9, 8, 7].map(|id| (staying.of(id).source, staying.of(id).seq));
    assert_eq!(seen, [(Some(UPLINK), SEQ), (None, SEQ), (None, SEQ)]);
}
