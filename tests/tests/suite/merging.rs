//! What two places do to one record without knowing of each other: every rule, in whichever order bundles arrive. At the
//! end of each all nodes are equal, further rounds are quiet, and what lost stands in `conflicts`.

use std::time::SystemTime;

use saddlebag_formats::members::Outcome;
use saddlebag_formats::row_state_bytes::decode_values;
use saddlebag_importer::ImportResult;
use saddlebag_stores::ledger::Conflict;
use saddlebag_tests::engines::Engines;
use saddlebag_tests::fleet::{Fleet, FleetNode, FleetPlan};

mod deletions;
mod names;
mod resolved;
mod rules;

const MINISTRY: usize = 0;
const CLINIC: usize = 1;
const WARD: usize = 2;

/// Both orders in which the bundles of the satellites arrive.
const ORDERS: [[usize; 2]; 2] = [[CLINIC, WARD], [WARD, CLINIC]];

fn fleet(on: Engines, tables: &str, schema: &str) -> Fleet {
    let plan = FleetPlan { names: &["ministry", "clinic", "ward"], tables, seed: 21, engines: on };
    Fleet::new(&plan, |_, app| app.execute_batch(schema).unwrap())
}

/// Waits until the clock that the triggers note shows another time, so that what follows is later.
#[expect(clippy::disallowed_methods, reason = "triggers take the machine's clock")]
fn later() {
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let before = now();
    while now() <= before + 1 {
        std::thread::yield_now();
    }
}

/// Carries what the satellites have to say, in this order, each bundle twice; then rounds until nobody has anything new
/// to say. Afterwards all nodes hold the same values in the same versions.
fn arrive(fleet: &mut Fleet, order: [usize; 2]) {
    for satellite in order {
        for bundle in fleet.export(satellite, MINISTRY) {
            // A bundle that was carried before, and of which its sender has not heard, may come again.
            let applied = fleet.nodes[MINISTRY].import(&bundle).unwrap();
            assert!(matches!(applied.result, ImportResult::Applied | ImportResult::Already));
            let again = fleet.nodes[MINISTRY].import(&bundle).unwrap();
            assert_eq!(again.result, ImportResult::Already);
        }
    }
    // What the ministry makes of it gets lost once.
    for satellite in order {
        let _lost = fleet.export(MINISTRY, satellite);
    }
    fleet.settle();
    agree(fleet);
}

fn agree(fleet: &mut Fleet) {
    let all: Vec<_> = fleet.nodes.iter_mut().map(FleetNode::versions).collect();
    assert_eq!(all[MINISTRY], all[CLINIC]);
    assert_eq!(all[MINISTRY], all[WARD]);
    for node in &mut fleet.nodes {
        assert!(node.held().is_empty(), "{:?}", node.held());
    }
}

fn everywhere(fleet: &Fleet, sql: &str, expected: &str) {
    for node in &fleet.nodes {
        assert_eq!(node.ask(sql), expected, "{sql} at {}", node.me.name);
    }
}

fn shown(bytes: Option<&Vec<u8>>) -> String {
    let Some(bytes) = bytes else { return "deleted".to_owned() };
    match decode_values(bytes).unwrap().pop().unwrap().1 {
        saddlebag_formats::Value::Text(text) => text,
        saddlebag_formats::Value::Null => "null".to_owned(),
        other => format!("{other:?}"),
    }
}

/// What stands in the conflicts of the ministry: table, column, what stands and what lost.
fn told(fleet: &mut Fleet) -> Vec<(String, String, String, String)> {
    let one = |conflict: Conflict| {
        let column = conflict.column.unwrap_or_default();
        (conflict.table, column, shown(conflict.winner.value.as_ref()), shown(conflict.loser.value.as_ref()))
    };
    fleet.nodes[MINISTRY].conflicts().into_iter().map(one).collect()
}

/// What a satellite was told of its changes: table, column, outcome, words.
fn receipts(fleet: &mut Fleet, node: usize) -> Vec<(String, String, Outcome, String)> {
    let all = fleet.nodes[node].received_receipts();
    all.into_iter()
        .map(|receipt| (receipt.table, receipt.column.unwrap_or_default(), receipt.outcome, receipt.reason))
        .collect()
}
