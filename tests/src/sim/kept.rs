//! What the nodes keep for people to see: conflicts, held changes, values beside records.

use std::collections::{BTreeMap, BTreeSet};

use saddlebag_formats::members::{Outcome, decode_change};
use saddlebag_formats::row_state_bytes::decode_values;
use saddlebag_formats::{Action, Uid, Value, Version};
use saddlebag_stores::Access;
use saddlebag_stores::ledger::{Conflict, ConflictSide, Held, HeldKind};

use super::look::Look;
use super::schema::TABLES;
use super::world::World;
use crate::fleet::FleetNode;

/// A conflict, as people are shown it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// The table's name.
    pub table: String,
    /// The record.
    pub uid: Uid,
    /// The column; none for a deletion.
    pub column: Option<String>,
    /// The value that stands, none if it is null or unknown, with its version.
    pub winner: (Option<String>, Version),
    /// The other.
    pub loser: (Option<String>, Version),
}

/// What all nodes keep.
#[derive(Debug, Default)]
pub struct Kept {
    /// Every value that somebody can see.
    pub values: BTreeSet<String>,
    /// The conflicts of each node.
    pub conflicts: Vec<Vec<Pair>>,
    /// Records of which something is held somewhere.
    pub held: BTreeSet<Uid>,
    /// Names of the records that are held, and all values that their changes bring.
    pub held_names: BTreeSet<String>,
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        // A patient's uid is its UUID.
        Value::Reference(uid) => Some(uid.to_string()),
        _ => None,
    }
}

fn side(side: ConflictSide) -> (Option<String>, Version) {
    let value = side.value.and_then(|bytes| decode_values(&bytes).ok()?.pop());
    (value.and_then(|(_, value)| text(&value)), side.version)
}

impl Kept {
    /// Reads what all nodes keep.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(world: &mut World) -> Result<Self, String> {
        let mut kept = Self::default();
        for node in &mut world.fleet.nodes {
            kept.add_node(node)?;
        }
        kept.name_held(world)?;
        Ok(kept)
    }

    /// Reads what one node keeps, too.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn add_node(&mut self, node: &mut FleetNode) -> Result<(), String> {
        let store = &mut node.store;
        let error = |error: saddlebag_stores::StoreError| error.to_string();
        store.begin(Access::Read).map_err(error)?;
        let (conflicts, held) = (store.conflicts().map_err(error)?, store.held(None).map_err(error)?);
        for table in store.tracking().tables.clone().iter() {
            let beside = store.beside(table).map_err(error)?;
            self.values.extend(beside.iter().filter_map(|beside| text(&beside.value)));
        }
        store.rollback().map_err(error)?;
        self.add_conflicts(conflicts);
        held.into_iter().try_for_each(|held| self.add_held(&held))
    }

    /// The names of the records that are held, at all nodes that have them.
    fn name_held(&mut self, world: &mut World) -> Result<(), String> {
        let uids: Vec<Uid> = self.held.iter().copied().collect();
        for node in &mut world.fleet.nodes {
            let look = Look::at(&node.app);
            let error = |error: saddlebag_stores::StoreError| error.to_string();
            node.store.begin(Access::Read).map_err(error)?;
            let tracking = node.store.tracking().clone();
            for (index, spec) in TABLES.iter().enumerate() {
                let Some(table) = tracking.by_name(spec.name) else { continue };
                for key in node.store.keys(table, &uids).map_err(error)?.values() {
                    let row = match key.0.as_slice() {
                        [Value::Integer(key)] => look.at_key(index, *key),
                        _ => None,
                    };
                    self.held_names.extend(row.map(|row| row.name.clone()));
                }
            }
            node.store.rollback().map_err(error)?;
        }
        Ok(())
    }

    fn add_conflicts(&mut self, conflicts: Vec<Conflict>) {
        let pair = |conflict: Conflict| {
            let Conflict { table, uid, column, winner, loser, .. } = conflict;
            Pair { table, uid, column, winner: side(winner), loser: side(loser) }
        };
        let pairs: Vec<Pair> = conflicts.into_iter().map(pair).collect();
        self.values.extend(pairs.iter().flat_map(|pair| [pair.winner.0.clone(), pair.loser.0.clone()]).flatten());
        self.conflicts.push(pairs);
    }

    fn add_held(&mut self, held: &Held) -> Result<(), String> {
        self.held.insert(held.uid);
        let (_, change) = decode_change(&held.change).map_err(|error| error.to_string())?;
        if let Action::Write { columns, .. } = change.action {
            let values: Vec<String> = columns.iter().filter_map(|column| text(&column.value)).collect();
            self.held_names.extend(values.iter().filter(|value| *value != "none").cloned());
            self.values.extend(values);
        }
        Ok(())
    }
}

/// What a satellite's central holds of its changes, the satellite has been told.
///
/// # Errors
/// What it was not told.
pub fn receipts_arrived(world: &mut World) -> Result<(), String> {
    let links = world.fleet.links();
    for (satellite, central) in links {
        let id = world.fleet.nodes[satellite].me.id;
        let told = receipts(world, satellite)?;
        let error = |error: saddlebag_stores::StoreError| error.to_string();
        let store = &mut world.fleet.nodes[central].store;
        store.begin(Access::Read).map_err(error)?;
        let link = store.links().map_err(error)?.into_iter().find(|link| link.peer == id);
        let held = store.held(link.map(|link| link.id)).map_err(error)?;
        store.rollback().map_err(error)?;
        for held in held {
            let outcome = told.get(&(held.table.clone(), held.uid));
            let is_told = match held.kind {
                HeldKind::Parked => outcome == Some(&Outcome::Parked),
                HeldKind::Quarantined => outcome == Some(&Outcome::Quarantined),
            };
            if !is_told {
                let (satellite, central) = (world.name(satellite), world.name(central));
                return Err(format!(
                    "{central} holds {} of `{}` ({:?}: {}), of which {satellite} was told {outcome:?}",
                    held.uid, held.table, held.kind, held.reason
                ));
            }
        }
    }
    Ok(())
}

/// What a node was told of whole records by its neighbours.
fn receipts(world: &mut World, node: usize) -> Result<BTreeMap<(String, Uid), Outcome>, String> {
    let error = |error: saddlebag_stores::StoreError| error.to_string();
    let store = &mut world.fleet.nodes[node].store;
    store.begin(Access::Read).map_err(error)?;
    let links = store.links().map_err(error)?;
    let received = store.received_receipts().map_err(error)?;
    store.rollback().map_err(error)?;
    let central = links.iter().find(|link| link.role == saddlebag_stores::ledger::PeerRole::Central);
    let from_central = received.into_iter().filter(|stored| central.is_some_and(|link| link.id == stored.link));
    let whole = from_central.map(|stored| stored.receipt).filter(|receipt| receipt.column.is_none());
    Ok(whole.map(|receipt| ((receipt.table, receipt.uid), receipt.outcome)).collect())
}
