//! The log: one entry for each event, in the transaction of the event, chained so that no hand passes unseen.

use saddlebag_formats::{LogHash, LogKind, TimeMs};
use saddlebag_importer::ImportResult;
use saddlebag_stores::log::{self, LogBreak, LogEnd, Logged};
use saddlebag_stores::{Access, contacts, told_log};
use saddlebag_tests::engines::{Engine, Engines, engine_of};
use saddlebag_tests::fleet::{Fleet, FleetNode, FleetPlan};
use saddlebag_tests::on_engines;

const TABLES: &str = "
[patient]
identity = 'uuid(uuid)'
[visit]
identity = 'uuid(uuid)'
";

fn fleet(on: Engines) -> Fleet {
    let plan = FleetPlan { names: &["ministry", "clinic"], tables: TABLES, seed: 11, engines: on };
    Fleet::new(&plan, |index, app| {
        // The ministry's application wants more than the clinic's.
        let check = if index == 0 { "CHECK (name NOT LIKE 'bad%')" } else { "" };
        app.execute_batch(&format!(
            "CREATE TABLE patient (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT {check});
             CREATE TABLE visit (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE,
                 patient_id INTEGER NOT NULL REFERENCES patient (id), note TEXT);"
        ))
        .unwrap();
    })
}

fn uuid(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn all(node: &mut FleetNode) -> Vec<Logged> {
    node.store.begin(Access::Read).unwrap();
    let all = node.store.log_entries(0, 100_000).unwrap();
    node.store.rollback().unwrap();
    all
}

fn broken(node: &mut FleetNode, last: Option<u64>) -> Option<LogBreak> {
    node.store.begin(Access::Read).unwrap();
    let checked = log::check(&mut *node.store, last).unwrap();
    node.store.rollback().unwrap();
    checked.broken
}

fn kinds(node: &mut FleetNode) -> Vec<LogKind> {
    all(node).into_iter().map(|logged| logged.entry.kind).collect()
}

fn count(node: &mut FleetNode, kind: &LogKind) -> usize {
    kinds(node).iter().filter(|known| *known == kind).count()
}

/// Rounds with a change that is refused, one that waits for it, a conflict, and a correction that settles all.
fn work(fleet: &mut Fleet) {
    let [one, two, three] = [1, 2, 3].map(uuid);
    fleet.nodes[1].run(&format!(
        "INSERT INTO patient (id, uuid, name) VALUES (1, '{one}', 'bad Secret'), (2, '{two}', 'Ben Secret');
         INSERT INTO visit (id, uuid, patient_id, note) VALUES (1, '{three}', 1, 'Secret')"
    ));
    fleet.settle();
    fleet.nodes[0].run(&format!("UPDATE patient SET name = 'Benjamin Secret' WHERE uuid = '{two}'"));
    fleet.nodes[1].run(&format!("UPDATE patient SET name = 'Benno Secret' WHERE uuid = '{two}'"));
    fleet.settle();
    fleet.nodes[1].run(&format!("UPDATE patient SET name = 'good Secret' WHERE uuid = '{one}'"));
    fleet.settle();
}

on_engines!(each_event_is_entered_once_and_without_values);
fn each_event_is_entered_once_and_without_values(on: Engines) {
    let mut fleet = fleet(on);
    work(&mut fleet);
    let ministry = &mut fleet.nodes[0];
    for (kind, times) in
        [(LogKind::QUARANTINED, 1), (LogKind::PARKED, 1), (LogKind::CONFLICT, 1), (LogKind::SETTLED, 2)]
    {
        assert_eq!(count(ministry, &kind), times, "{kind}: {:?}", kinds(ministry));
    }
    assert!(count(ministry, &LogKind::APPLIED) >= 3 && count(ministry, &LogKind::MADE) >= 2);
    let told: Vec<String> = all(&mut fleet.nodes[1])
        .iter()
        .filter(|logged| logged.entry.kind == LogKind::RECEIPT)
        .map(|logged| logged.entry.what.clone())
        .collect();
    for outcome in ["parked", "quarantined", "conflict", "settled"] {
        assert!(told.iter().any(|what| what.contains(outcome)), "{outcome}: {told:?}");
    }
    for node in &mut fleet.nodes {
        assert_eq!(broken(node, None), None);
        assert_eq!(broken(node, Some(3)), None);
        assert!(!format!("{:?}", all(node)).contains("Secret"), "a value of a record stands in the log");
    }
}

on_engines!(a_bundle_that_is_known_enters_nothing_and_an_ordinary_one_a_single_line);
fn a_bundle_that_is_known_enters_nothing_and_an_ordinary_one_a_single_line(on: Engines) {
    let mut fleet = fleet(on);
    fleet.settle();
    let rows: Vec<String> = (1..=3_000).map(|number| format!("('{}', 'p')", uuid(number))).collect();
    fleet.nodes[1].run(&format!("INSERT INTO patient (uuid, name) VALUES {}", rows.join(", ")));
    let bundles = fleet.export(1, 0);
    let before = all(&mut fleet.nodes[0]).len();
    for bundle in &bundles {
        assert_eq!(fleet.nodes[0].import(bundle).unwrap().result, ImportResult::Applied);
    }
    assert_eq!(all(&mut fleet.nodes[0]).len(), before + bundles.len());
    // What reminds of the acknowledgement is written the first time that a bundle comes again.
    for bundle in &bundles {
        let _known = fleet.nodes[0].import(bundle).unwrap();
    }
    let dump = fleet.nodes[0].dump();
    for bundle in &bundles {
        assert_eq!(fleet.nodes[0].import(bundle).unwrap().result, ImportResult::Already);
    }
    assert_eq!(fleet.nodes[0].dump(), dump);
    assert_eq!(all(&mut fleet.nodes[0]).len(), before + bundles.len());
}

on_engines!(a_hand_in_the_log_is_seen_where_it_was);
fn a_hand_in_the_log_is_seen_where_it_was(on: Engines) {
    let mut fleet = fleet(on);
    work(&mut fleet);
    let table = match engine_of(on, 0) {
        Engine::Sqlite => "saddlebag_log",
        Engine::Postgres => "saddlebag.log",
    };
    let last = all(&mut fleet.nodes[0]).len() as u64;
    assert!(last > 8);
    let columns = "at, kind, who, peer, table_name, uid, column_name, what, why, hash";
    let insert =
        format!("INSERT INTO {table} (number, {columns}) SELECT {}, {columns} FROM {table} WHERE number = 2", last + 1);
    let hands = [
        (format!("UPDATE {table} SET why = 'another' WHERE number = 4"), LogBreak::Changed(4)),
        (format!("UPDATE {table} SET uid = NULL WHERE kind = 'quarantined'"), LogBreak::Changed(0)),
        (format!("DELETE FROM {table} WHERE number = 5"), LogBreak::Missing(5)),
        (format!("DELETE FROM {table} WHERE number = 1"), LogBreak::Missing(1)),
        (insert, LogBreak::Added(last + 1)),
        (format!("DELETE FROM {table} WHERE number > {}", last - 2), LogBreak::Missing(last - 1)),
        (format!("DELETE FROM {table}"), LogBreak::Missing(1)),
    ];
    for (at, (sql, expected)) in hands.into_iter().enumerate() {
        let mut touched = fleet.nodes[0].fork(&format!("touched-{at}"));
        assert_eq!(broken(&mut touched, None), None);
        touched.run(&sql);
        let found = broken(&mut touched, None).unwrap_or_else(|| panic!("unseen: {sql}"));
        if expected.number() > 0 {
            assert_eq!(found, expected, "{sql}");
        }
        assert!(broken(&mut touched, Some(last)).is_some(), "{sql}");
        // The node goes on, and what was done stays seen.
        touched.run(&format!("UPDATE patient SET name = 'later' WHERE uuid = '{}'", uuid(2)));
        let clinic = fleet.nodes[1].me.id;
        let _made = touched.export_to(clinic);
        assert!(all(&mut touched).last().unwrap().number > last, "{sql}");
        assert_eq!(broken(&mut touched, None).map(LogBreak::number), Some(found.number()), "{sql}");
    }
}

on_engines!(an_end_that_was_taken_away_is_noticed_by_the_neighbour);
fn an_end_that_was_taken_away_is_noticed_by_the_neighbour(on: Engines) {
    let mut fleet = fleet(on);
    work(&mut fleet);
    let clinic = &mut fleet.nodes[1];
    let entries = all(clinic);
    let kept = &entries[entries.len() - 6];
    let table = match engine_of(on, 1) {
        Engine::Sqlite => "saddlebag_log",
        Engine::Postgres => "saddlebag.log",
    };
    clinic.run(&format!("DELETE FROM {table} WHERE number > {}", kept.number));
    clinic.store.begin(Access::Write).unwrap();
    let end = [kept.number.to_le_bytes().as_slice(), &kept.hash.0].concat();
    clinic.store.set_setting("log_end", &end).unwrap();
    assert_eq!(clinic.store.log_end().unwrap(), LogEnd { number: kept.number, hash: kept.hash });
    clinic.store.commit().unwrap();
    assert_eq!(broken(clinic, None), None, "here nothing shows any more");
    clinic.run(&format!("UPDATE patient SET name = 'later' WHERE uuid = '{}'", uuid(2)));
    assert_eq!(count(&mut fleet.nodes[0], &LogKind::LOG), 0);
    fleet.carry(1, 0);
    let ministry = &mut fleet.nodes[0];
    assert_eq!(count(ministry, &LogKind::LOG), 1);
    ministry.store.begin(Access::Read).unwrap();
    let link = ministry.store.links().unwrap().remove(0);
    let shortened = told_log::read(&mut *ministry.store, link.id).unwrap().unwrap().shortened.unwrap();
    let heard = contacts::read(&mut *ministry.store, link.id).unwrap();
    ministry.store.rollback().unwrap();
    assert!(shortened.before > shortened.then, "{shortened:?}");
    assert_eq!(heard.times, [TimeMs(ministry.clock.0.get())], "all rounds were within an hour");
    // It is said once, and remembered.
    fleet.settle();
    assert_eq!(count(&mut fleet.nodes[0], &LogKind::LOG), 1);
}

on_engines!(triggers_that_were_made_again_are_entered);
fn triggers_that_were_made_again_are_entered(on: Engines) {
    let mut fleet = fleet(on);
    fleet.settle();
    let node = &mut fleet.nodes[1];
    node.store.begin(Access::Write).unwrap();
    let entry = saddlebag_formats::LogEntry::by_user(LogKind::REJOIN, TimeMs(1)).because("a\0b");
    node.store.act_as("ada");
    node.store.log(&[entry.clone(), entry]).unwrap();
    node.store.rollback().unwrap();
    assert_eq!(count(node, &LogKind::REJOIN), 0, "it stands or falls with its transaction");
    node.store.begin(Access::Write).unwrap();
    let entry = saddlebag_formats::LogEntry::by_user(LogKind::REJOIN, TimeMs(1)).because("a\0b");
    node.store.log(&[entry]).unwrap();
    node.store.commit().unwrap();
    let written = all(node).pop().unwrap();
    assert_eq!((written.entry.who.as_str(), written.entry.why.as_str()), ("ada", "a b"));
    assert_ne!(written.hash, LogHash::NONE);
    if engine_of(on, 1) == Engine::Sqlite {
        node.run("DROP TRIGGER saddlebag_1_update");
        fleet.settle();
        let triggers: Vec<_> =
            all(&mut fleet.nodes[1]).into_iter().filter(|logged| logged.entry.kind == LogKind::TRIGGERS).collect();
        assert_eq!(triggers.len(), 1);
        assert!(triggers[0].entry.table.is_some());
    }
    assert_eq!(broken(&mut fleet.nodes[1], None), None);
}
