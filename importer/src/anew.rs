//! The other end of a link has begun a new history: its database was restored from a backup, copied or replaced.
//!
//! What it knows of this node's feed may have gone back, and what it had sent may be lost there. So this end goes back as
//! well: it sends everything again since what the other one says it has, also what had come from there. Whatever the
//! other end still has is told by its first bundles, and is not sent.
//!
//! Why the position that the other end says it has applied is enough: whatever it wrote and lost, it wrote after that
//! bundle of this node's had come to it, and this node took it later still, at a later place of its own feed.

use std::collections::HashMap;
use std::ops::ControlFlow;

use saddlebag_formats::header::BundleHeader;
use saddlebag_formats::members::{Anew, Common};
use saddlebag_formats::{Action, BundleNumber, LinkId, RowState, Seq, TableChanges, Uid, Version};
use saddlebag_stores::ledger::{Link, PeerRole, Position};
use saddlebag_stores::lineage;
use saddlebag_stores::record::{Known, Record, Tombstone};
use saddlebag_stores::store::absorb;
use saddlebag_stores::tracking::TrackedTable;
use saddlebag_stores::{Store, StoreError};

use crate::error::ImportError;
use crate::holding;
use crate::import::Importer;

/// Records that are looked at together.
const PIECE: usize = 1_000;

impl Importer<'_> {
    /// Goes back to where the other end says that it is.
    pub(crate) fn go_back(
        &mut self,
        link: &mut Link,
        header: &BundleHeader,
        common: Option<Common>,
    ) -> Result<(), ImportError> {
        // What waits in the journal was written upon what stands here now.
        absorb(self.store, self.me.writer(), self.entropy)?;
        let before = link.acknowledged_upto(self.me.epoch);
        let position = self.said_position(link, header)?;
        link.acknowledged = Some(position);
        let next = link.sent.filter(|sent| sent.epoch == self.me.epoch).map_or(0, |sent| sent.number.0) + 1;
        link.history.left = common.map(|common| common.before).max(link.history.left);
        link.history.common = common.map(|common| (common, BundleNumber(next)));
        // It may have forgotten that this node has begun a new history, too.
        if let Some(ack) = header.ack.filter(|ack| ack.epoch < self.me.epoch) {
            link.history.anew.get_or_insert(Anew { before: ack.epoch, known: Vec::new() });
        }
        // Bundles made before are not what it lacks.
        link.owes_acknowledgement = true;
        let going_back = GoingBack {
            link: link.id,
            after: position.upto,
            acknowledged: before,
            is_central: link.role == PeerRole::Central,
        };
        going_back.run(self.store)?;
        if let (PeerRole::Central, Some(common)) = (link.role, common) {
            holding::lost_above(self.store, link.id, common.upto)?;
        }
        Ok(holding::tell_again(self.store, link.id)?)
    }

    /// What the other end has applied of this node's stream, in terms of the present history.
    fn said_position(&mut self, link: &Link, header: &BundleHeader) -> Result<Position, ImportError> {
        let epoch = self.me.epoch;
        let carried = |upto| Position::carried(epoch, upto);
        let Some(ack) = header.ack else { return Ok(carried(Seq(0))) };
        let never_made = || ImportError::NeverMade { from: link.name.clone(), number: ack.number };
        if ack.epoch > epoch || ack.upto > self.store.last_seq()? {
            return Err(never_made());
        }
        if ack.epoch < epoch {
            return Ok(carried(lineage::common(&lineage::read(self.store)?, ack.epoch, ack.upto)));
        }
        let sent = link.sent.ok_or_else(never_made)?;
        if ack.number > sent.number || ack.upto > sent.upto {
            return Err(never_made());
        }
        Ok(Position { epoch, number: ack.number, id: ack.id, upto: ack.upto })
    }

    /// Notes which of the columns that these changes bring, and that were seen before, the other end still has: they
    /// need not go back there.
    pub(crate) fn confirm(&mut self, link: LinkId, tables: &[TableChanges], seen: Seq) -> Result<(), StoreError> {
        for changes in tables {
            let Some(table) = self.store.tracking().by_name(&changes.table.name).cloned() else { continue };
            let uids: Vec<Uid> = changes.records.iter().map(|record| record.uid).collect();
            let mut known = self.store.records(&table, &uids)?;
            let (mut records, mut tombstones) = (Vec::new(), Vec::new());
            for change in &changes.records {
                match (&change.action, known.remove(&change.uid)) {
                    (Action::Write { columns, .. }, Some(Known::Live(mut record))) => {
                        let has: HashMap<&str, Version> = columns
                            .iter()
                            .filter(|column| column.seq <= seen)
                            .filter_map(|column| {
                                let described = changes.table.columns.get(usize::from(column.column))?;
                                Some((described.name.as_str(), column.version))
                            })
                            .collect();
                        if has.is_empty() {
                            continue;
                        }
                        record.state = each_column(&table, &record.state, |name, state| {
                            if state.source.is_none() && has.get(name) == Some(&state.version) {
                                state.source = Some(link);
                            }
                        });
                        records.push(record);
                    }
                    (Action::Delete { version, seq, .. }, Some(Known::Deleted(mut tombstone)))
                        if *seq <= seen && tombstone.version == *version && tombstone.source.is_none() =>
                    {
                        tombstone.source = Some(link);
                        tombstones.push(tombstone);
                    }
                    _ => {}
                }
            }
            self.store.save_states(&table, &records)?;
            self.store.save_tombstones(&tombstones)?;
        }
        Ok(())
    }
}

struct GoingBack {
    link: LinkId,
    /// How far the other end has applied this node's feed.
    after: Seq,
    /// How far it had before.
    acknowledged: Seq,
    /// Whether the other end is this node's central.
    is_central: bool,
}

impl GoingBack {
    /// Has everything after that position go to the other end, also what came from there.
    fn run(&self, store: &mut dyn Store) -> Result<(), StoreError> {
        let last = store.last_seq()?;
        for table in store.tracking().tables.clone() {
            let mut after = self.after;
            loop {
                let mut piece: Vec<Record> = Vec::new();
                store.feed_each(&table, after, last, PIECE, &mut |records| {
                    piece = records;
                    Ok(ControlFlow::Break(()))
                })?;
                let Some(end) = piece.last().map(|record| record.state.seq()) else { break };
                for record in &mut piece {
                    record.state = each_column(&table, &record.state, |_, state| self.column(state));
                }
                store.save_states(&table, &piece)?;
                if end <= after || end >= last {
                    break;
                }
                after = end;
            }
            let mut tombstones = store.deleted(&table, self.after, last)?;
            tombstones.iter_mut().for_each(|tombstone| self.tombstone(&table, tombstone));
            store.save_tombstones(&tombstones)?;
        }
        Ok(())
    }

    fn column(&self, state: &mut saddlebag_formats::ColumnState) {
        let place = state.place(self.is_central);
        if place <= self.after {
            return;
        }
        let is_from_there = state.source == Some(self.link);
        // The central had it, or had decided about it: it is one with what the central goes on from.
        if self.is_central && (is_from_there || place <= self.acknowledged) {
            state.base = Some(Version::YOURS);
        }
        if is_from_there {
            state.source = None;
        }
        state.origin = state.origin.filter(|origin| *origin != self.link);
    }

    fn tombstone(&self, table: &TrackedTable, tombstone: &mut Tombstone) {
        let is_from_there = tombstone.source == Some(self.link);
        if self.is_central && (is_from_there || tombstone.seq <= self.acknowledged) {
            tombstone.state = each_column(table, &tombstone.state, |_, state| state.base = Some(Version::YOURS));
        }
        if is_from_there {
            tombstone.source = None;
        }
    }
}

/// A row state with each of its columns changed.
fn each_column(
    table: &TrackedTable,
    state: &RowState,
    mut change: impl FnMut(&str, &mut saddlebag_formats::ColumnState),
) -> RowState {
    let columns: Vec<_> = table
        .columns
        .iter()
        .map(|column| {
            let mut known = *state.of(column.id);
            change(&column.name, &mut known);
            (column.id, known)
        })
        .collect();
    RowState::from_columns(&columns).unwrap_or_else(|| state.clone())
}
