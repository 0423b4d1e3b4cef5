use std::slice::from_ref;

use saddlebag_formats::members::Outcome;
use saddlebag_formats::{Epoch, NodeId, Version, Writer};

use super::super::writers::Writers;
use super::super::{conflicts, testing};
use super::*;
use crate::ledger::{Conflict, ConflictKind, ConflictRule, ConflictSide, HeldKind};

fn one_held(uid: u8, since: i64, reason: &str) -> Held {
    Held {
        link: LinkId(1),
        table: "person".to_owned(),
        uid: Uid([uid; 16]),
        kind: HeldKind::Parked,
        reason: reason.to_owned(),
        change: vec![0, 1, 255],
        known: vec![],
        since: TimeMs(since),
        told: None,
    }
}

#[test]
fn what_is_held_again_keeps_its_date() {
    let Some(mut client) = testing::own_tables("what_is_held_again_keeps_its_date") else { return };
    save_held(&mut client, &[]).unwrap();
    let (first, second) = (one_held(1, 20, "waits for a person"), one_held(2, 10, "waits for a place"));
    let elsewhere = Held { link: LinkId(2), ..one_held(1, 30, "refused") };
    let three = [first.clone(), second.clone(), elsewhere.clone()];
    save_held(&mut client, &three).unwrap();
    assert_eq!(held(&mut client, None).unwrap(), [second.clone(), first.clone(), elsewhere.clone()]);
    let (kind, told) = (HeldKind::Quarantined, Some("too long".to_owned()));
    let again = Held { kind, told, change: vec![7], known: vec![8], ..one_held(1, 99, "too long") };
    save_held(&mut client, &[first, again.clone()]).unwrap();
    let again = Held { since: TimeMs(20), ..again };
    assert_eq!(held(&mut client, Some(LinkId(1))).unwrap(), [second, again.clone()]);
    assert_eq!(held(&mut client, Some(LinkId(2))).unwrap(), from_ref(&elsewhere));
    drop_held(&mut client, LinkId(1), &[("person".to_owned(), Uid([2; 16]))]).unwrap();
    assert_eq!(held(&mut client, None).unwrap(), [again, elsewhere]);
}

#[test]
fn words_that_quote_a_nul_are_kept() {
    let Some(mut client) = testing::own_tables("words_that_quote_a_nul_are_kept") else { return };
    save_held(&mut client, &[one_held(1, 1, "`a\0b` cannot stand in `name`")]).unwrap();
    assert_eq!(held(&mut client, None).unwrap()[0].reason, "`a\u{2400}b` cannot stand in `name`");
}

#[test]
fn tables_are_in_the_order_of_their_bytes() {
    let Some(mut client) = testing::own_tables("tables_are_in_the_order_of_their_bytes") else { return };
    let all = ["b", "é", "B", "a-b", "a b", "ab"].map(|table| Held { table: table.to_owned(), ..one_held(1, 1, "x") });
    save_held(&mut client, &all).unwrap();
    let tables: Vec<_> = held(&mut client, None).unwrap().into_iter().map(|held| held.table).collect();
    assert_eq!(tables, ["B", "a b", "a-b", "ab", "b", "é"]);
}

#[test]
fn what_was_let_go_stays_in_order() {
    let Some(mut client) = testing::own_tables("what_was_let_go_stays_in_order") else { return };
    let one = |at: i64| Dropped {
        link: LinkId(1),
        table: "person".to_owned(),
        uid: Uid([1; 16]),
        reason: "a mistake".to_owned(),
        held_because: "no such place".to_owned(),
        change: vec![1, 2],
        at: TimeMs(at),
    };
    for at in [5, 3] {
        add_dropped(&mut client, &one(at)).unwrap();
    }
    assert_eq!(dropped(&mut client).unwrap(), [one(5), one(3)]);
}

#[test]
fn a_conflict_is_found_once() {
    let Some(mut client) = testing::own_tables("a_conflict_is_found_once") else { return };
    let version = |time: i64, node: u8| Version {
        time: TimeMs(time),
        writer: Writer { node: NodeId([node; 16]), epoch: Epoch(1) },
    };
    let deletion = Conflict {
        link: LinkId(1),
        table: "person".to_owned(),
        uid: Uid([1; 16]),
        column: None,
        kind: ConflictKind::Deletion,
        rule: ConflictRule::Keep,
        winner: ConflictSide { value: Some(vec![0, 255]), version: version(7, 1), effective: Some(TimeMs(4)) },
        loser: ConflictSide { value: None, version: version(6, 2), effective: None },
        found: TimeMs(50),
        clock_doubted: true,
    };
    let (column, kind, rule) = (Some("name".to_owned()), ConflictKind::Values, ConflictRule::Ask);
    let name = Conflict { column, kind, rule, ..deletion.clone() };
    let loser = ConflictSide { value: None, version: version(6, 3), effective: Some(TimeMs(5)) };
    let later = Conflict { loser, rule: ConflictRule::Delete, ..deletion.clone() };
    let mut writers = Writers::default();
    let mut add = |conflict: &Conflict| conflicts::add(&mut client, &mut writers, from_ref(conflict)).unwrap()[0];
    let all = [deletion, name, later];
    assert_eq!(all.each_ref().map(&mut add), [true; 3]);
    let again = all.clone().map(|conflict| Conflict { found: TimeMs(60), ..conflict });
    assert_eq!(again.each_ref().map(&mut add), [false; 3]);
    let numbered: Vec<_> = (1..).zip(all).collect();
    assert_eq!(conflicts::all(&mut client, &mut Writers::default()).unwrap(), numbered);
    save_held(&mut client, &[one_held(1, 1, "x"), one_held(2, 1, "x")]).unwrap();
    let found = LinkCounts { parked: 2, quarantined: 0, conflicts: 3 };
    assert_eq!(counts(&mut client, LinkId(1)).unwrap(), found);
    assert_eq!(counts(&mut client, LinkId(2)).unwrap(), LinkCounts::default());
    client.batch("losing a writer", "DELETE FROM saddlebag.writer WHERE number = 1").unwrap();
    let error = conflicts::all(&mut client, &mut Writers::default()).unwrap_err();
    assert!(matches!(&error, StoreError::Damaged { reason, .. } if reason == "there is no writer 1"), "{error}");
}

fn receipt(uid: u8, column: Option<&str>, outcome: Outcome, reason: &str) -> StoredReceipt {
    let (table, column) = ("person".to_owned(), column.map(ToOwned::to_owned));
    let receipt = Receipt { table, uid: Uid([uid; 16]), column, outcome, reason: reason.to_owned() };
    StoredReceipt { link: LinkId(1), receipt }
}

#[test]
fn a_receipt_goes_until_it_has_arrived() {
    let Some(mut client) = testing::own_tables("a_receipt_goes_until_it_has_arrived") else { return };
    let link = LinkId(1);
    add_receipts(&mut client, &[]).unwrap();
    assert!(!has_new_receipts(&mut client, link).unwrap());
    let one = receipt(1, None, Outcome::Parked, "waits");
    let other = receipt(1, Some("name"), Outcome::Conflict, "overwritten");
    add_receipts(&mut client, &[receipt(1, None, Outcome::Quarantined, "no"), other.clone(), one.clone()]).unwrap();
    assert_eq!(receipts_to_send(&mut client, link).unwrap(), [one.clone(), other.clone()], "the last one counts");
    assert_eq!(receipts_to_send(&mut client, LinkId(2)).unwrap(), []);
    assert!(has_new_receipts(&mut client, link).unwrap());
    receipts_carried(&mut client, link, BundleNumber(4)).unwrap();
    add_receipts(&mut client, from_ref(&one)).unwrap();
    assert!(!has_new_receipts(&mut client, link).unwrap(), "it says what it said before");
    let settled = receipt(1, None, Outcome::Settled, "");
    add_receipts(&mut client, from_ref(&settled)).unwrap();
    assert!(has_new_receipts(&mut client, link).unwrap());
    receipts_arrived(&mut client, link, BundleNumber(3)).unwrap();
    assert_eq!(receipts_to_send(&mut client, link).unwrap(), [settled.clone(), other]);
    receipts_arrived(&mut client, link, BundleNumber(4)).unwrap();
    assert_eq!(receipts_to_send(&mut client, link).unwrap(), [settled]);
}

#[test]
fn a_received_receipt_is_the_last_of_its_record_and_column() {
    let Some(mut client) = testing::own_tables("a_received_receipt_is_the_last_of_its_record_and_column") else {
        return;
    };
    let all = [
        receipt(1, None, Outcome::Parked, "waits"),
        receipt(1, Some("name"), Outcome::DeletionKept, "still used"),
        receipt(2, None, Outcome::Quarantined, "too long"),
    ];
    save_received_receipts(&mut client, &all, TimeMs(1)).unwrap();
    assert_eq!(received_receipts(&mut client).unwrap(), all);
    let again = receipt(1, None, Outcome::Settled, "came");
    save_received_receipts(&mut client, from_ref(&again), TimeMs(2)).unwrap();
    assert_eq!(received_receipts(&mut client).unwrap(), [all[1].clone(), all[2].clone(), again]);
}
