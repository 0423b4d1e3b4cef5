//! Transactions that are open while saddlebag absorbs, exports and imports.

use std::io::Write as _;

use postgres::Client;
use postgres::error::SqlState;
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::Fleet;
use saddlebag_tests::on_engines;

use super::{CLINIC, MINISTRY, arrived, fleet, run, same, texts};

const ISOLATIONS: [&str; 3] = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"];

/// A round each way, with something to say.
fn round(fleet: &mut Fleet, note: &str) {
    run(&fleet.nodes[CLINIC], &format!("INSERT INTO visit (tag, note) VALUES ('quick {note}', '{note}')"));
    run(&fleet.nodes[MINISTRY], &format!("UPDATE patient SET name = '{note}' WHERE id = 3"));
    fleet.carry(CLINIC, MINISTRY);
    fleet.carry(MINISTRY, CLINIC);
}

fn begin(fleet: &Fleet, isolation: &str) -> Client {
    let mut client = fleet.nodes[CLINIC].connect();
    client.batch_execute(&format!("BEGIN ISOLATION LEVEL {isolation}; SELECT FROM patient")).unwrap();
    client
}

fn a_late_commit_is_never_skipped(engines: Engines) {
    let mut fleet = fleet(engines, 61);
    run(&fleet.nodes[CLINIC], "INSERT INTO visit (tag, note) VALUES ('old', 'as it was'), ('gone', 'as it was')");
    fleet.settle();
    for (rounds, isolation) in (1..).zip(ISOLATIONS) {
        let (mut one, mut other) = (begin(&fleet, isolation), begin(&fleet, isolation));
        one.batch_execute(&format!(
            "INSERT INTO visit (tag, note, patient_id) VALUES ('late {isolation}', 'x', 1);
             UPDATE visit SET note = '{isolation}' WHERE tag = 'old'; DELETE FROM visit WHERE tag = 'gone';
             INSERT INTO visit (tag, note) VALUES ('gone', '{isolation}')"
        ))
        .unwrap();
        other.batch_execute(&format!("INSERT INTO stock VALUES ('{isolation}', 1)")).unwrap();
        for at in 0..rounds {
            round(&mut fleet, &format!("{isolation} {at}"));
        }
        // The later one first.
        other.batch_execute("COMMIT").unwrap();
        round(&mut fleet, &format!("{isolation} between"));
        one.batch_execute("COMMIT").unwrap();
        let visits = arrived(&mut fleet, "visit");
        for expected in [format!("(old,\"{isolation}\",,,)"), format!("(gone,\"{isolation}\",,,)")] {
            let expected = if isolation == "SERIALIZABLE" { expected.replace('"', "") } else { expected };
            assert!(visits.contains(&expected), "{expected} in {visits:?}");
        }
        let late = visits.iter().find(|visit| visit.starts_with(&format!("(\"late {isolation}\"")));
        assert!(late.is_some_and(|visit| visit.contains("-8000-")), "{late:?} has its patient");
        assert_eq!(texts(&mut fleet.nodes[MINISTRY].connect(), "SELECT item FROM stock").len(), rounds);
    }
}
on_engines!(a_late_commit_is_never_skipped: postgres POSTGRES);

fn a_snapshot_stays_as_it_is_while_a_bundle_is_applied(engines: Engines) {
    let mut fleet = fleet(engines, 62);
    run(&fleet.nodes[CLINIC], "INSERT INTO visit (tag, note) VALUES ('own', 'first'), ('shared', 'first')");
    fleet.settle();
    for isolation in &ISOLATIONS[1..] {
        let mut reader = begin(&fleet, isolation);
        let before = texts(&mut reader, "SELECT note FROM visit ORDER BY tag");
        run(&fleet.nodes[MINISTRY], &format!("UPDATE visit SET note = '{isolation}' WHERE tag = 'shared'"));
        fleet.settle();
        assert_eq!(texts(&mut reader, "SELECT note FROM visit ORDER BY tag"), before);
        // What nobody else has touched it writes as ever, however often it was absorbed meanwhile.
        reader.batch_execute(&format!("UPDATE visit SET note = 'own {isolation}' WHERE tag = 'own'")).unwrap();
        fleet.settle();
        reader.batch_execute("COMMIT").unwrap();
        // What the import has changed is as if any other connection had changed it: the application tries again.
        let mut writer = begin(&fleet, isolation);
        run(&fleet.nodes[MINISTRY], &format!("UPDATE visit SET note = '{isolation}, again' WHERE tag = 'shared'"));
        fleet.settle();
        let edit = "UPDATE visit SET note = note || ' and here' WHERE tag = 'shared'";
        let refused = writer.batch_execute(edit).unwrap_err();
        assert_eq!(refused.code(), Some(&SqlState::T_R_SERIALIZATION_FAILURE), "{refused:?}");
        writer.batch_execute(&format!("ROLLBACK; {edit}")).unwrap();
        let visits = arrived(&mut fleet, "visit");
        let expected =
            [format!("(own,\"own {isolation}\",,,)"), format!("(shared,\"{isolation}, again and here\",,,)")];
        assert_eq!(visits, expected);
    }
}
on_engines!(a_snapshot_stays_as_it_is_while_a_bundle_is_applied: postgres POSTGRES);

fn serializable_transactions_do_not_fail_for_the_triggers_sake(engines: Engines) {
    let mut fleet = fleet(engines, 63);
    let begin = "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL enable_seqscan = off";
    let (mut one, mut other) = (fleet.nodes[CLINIC].connect(), fleet.nodes[CLINIC].connect());
    for turn in 0..5 {
        // Neither reads what the other writes; both write the journal, and absorb reads and deletes all of it.
        for (client, name) in [(&mut one, "one"), (&mut other, "other")] {
            client.batch_execute(&format!("{begin}; INSERT INTO stock VALUES ('{name} {turn}', 1)")).unwrap();
        }
        round(&mut fleet, &format!("{turn} open"));
        for (client, name) in [(&mut other, "other"), (&mut one, "one")] {
            client.batch_execute(&format!("UPDATE stock SET amount = 2 WHERE item = '{name} {turn}'")).unwrap();
        }
        round(&mut fleet, &format!("{turn} still open"));
        other.batch_execute("COMMIT").unwrap();
        one.batch_execute("COMMIT").unwrap();
    }
    assert_eq!(arrived(&mut fleet, "stock").len(), 10);
}
on_engines!(serializable_transactions_do_not_fail_for_the_triggers_sake: postgres POSTGRES);

fn what_was_rolled_back_never_arrives(engines: Engines) {
    let mut fleet = fleet(engines, 64);
    run(&fleet.nodes[CLINIC], "INSERT INTO visit (tag, note) VALUES ('kept', 'first'), ('other', 'first')");
    fleet.settle();
    for isolation in ISOLATIONS {
        let mut client = begin(&fleet, isolation);
        client
            .batch_execute(
                "SAVEPOINT a; INSERT INTO visit (tag, note) VALUES ('never', 'x'); DELETE FROM visit WHERE tag = 'kept';
                 SAVEPOINT b; UPDATE visit SET note = 'never'; ROLLBACK TO a",
            )
            .unwrap();
        round(&mut fleet, &format!("{isolation} open"));
        client.batch_execute("RELEASE a; SAVEPOINT c; INSERT INTO visit (tag, note) VALUES ('never', 'y')").unwrap();
        client.batch_execute("INSERT INTO visit (tag, note) VALUES ('kept', 'twice')").unwrap_err();
        client
            .batch_execute(&format!("ROLLBACK TO c; UPDATE visit SET note = '{isolation}' WHERE tag = 'other'"))
            .unwrap();
        round(&mut fleet, &format!("{isolation} still open"));
        client.batch_execute("COMMIT").unwrap();
        let mut client = begin(&fleet, isolation);
        client.batch_execute("DELETE FROM visit; TRUNCATE stock; INSERT INTO stock VALUES ('never', 1)").unwrap();
        client.batch_execute("ROLLBACK").unwrap();
        assert_eq!(arrived(&mut fleet, "stock"), [""; 0]);
        let visits = arrived(&mut fleet, "visit");
        assert_eq!(visits.iter().filter(|visit| visit.contains("never")).count(), 0, "{visits:?}");
        assert!(visits.contains(&"(kept,first,,,)".to_owned()), "{visits:?}");
        assert!(visits.iter().any(|visit| visit.starts_with("(other,") && visit.contains(isolation)), "{visits:?}");
    }
}
on_engines!(what_was_rolled_back_never_arrives: postgres POSTGRES);

fn a_copy_that_is_open_while_others_are_absorbed_arrives_whole(engines: Engines) {
    let mut fleet = fleet(engines, 65);
    let mut client = fleet.nodes[CLINIC].connect();
    client.batch_execute("BEGIN").unwrap();
    let mut copy = client.copy_in("COPY visit (tag, note, weight, patient_id) FROM STDIN").unwrap();
    for row in 0..3_000 {
        writeln!(copy, "copied {row:04}\tnote {row}\t{row}.50\t{}", row % 3 + 1).unwrap();
    }
    copy.flush().unwrap();
    round(&mut fleet, "while rows are on their way");
    assert_eq!(copy.finish().unwrap(), 3_000);
    round(&mut fleet, "before it is committed");
    client.batch_execute("COMMIT").unwrap();
    assert_eq!(arrived(&mut fleet, "visit").len(), 3_002);
    // A COPY that fails half way leaves nothing.
    let mut copy = client.copy_in("COPY visit (tag, note) FROM STDIN").unwrap();
    copy.write_all(b"fresh\tx\ncopied 0000\ttwice\n").unwrap();
    copy.finish().unwrap_err();
    fleet.settle();
    assert!(same(&mut fleet).iter().all(|line| !line.contains("fresh")));
}
on_engines!(a_copy_that_is_open_while_others_are_absorbed_arrives_whole: postgres POSTGRES);

fn a_prepared_transaction_is_late_like_any_other(engines: Engines) {
    let mut fleet = fleet(engines, 66);
    run(&fleet.nodes[CLINIC], "BEGIN; INSERT INTO stock VALUES ('prepared', 7); PREPARE TRANSACTION 'late'");
    round(&mut fleet, "one");
    round(&mut fleet, "two");
    run(&fleet.nodes[CLINIC], "COMMIT PREPARED 'late'");
    assert_eq!(arrived(&mut fleet, "stock"), ["(prepared,7)"]);
}
on_engines!(a_prepared_transaction_is_late_like_any_other: postgres POSTGRES);
