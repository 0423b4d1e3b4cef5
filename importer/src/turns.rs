//! A bundle's changes, applied together, or, where they are too many to be held in memory, member by member.
//!
//! In turns, what a member's changes need and has not come yet is held in the database and tried again with the last
//! turn, where all deletions are too. Its sender hears of it only if it is held then.

use std::collections::HashMap;

use saddlebag_formats::{Action, RecordChange, Seq, TableChanges, Uid};
use saddlebag_stores::ledger::Link;

use crate::apply::Changes;
use crate::clocks::Receipt;
use crate::error::ImportError;
use crate::holding;
use crate::import::Importer;
use crate::incoming::{Incoming, IncomingAction};
use crate::merged::Merged;
use crate::reading::Opened;
use crate::tally::Tally;

/// What the changes of a bundle are applied with.
pub(crate) struct Turns<'a> {
    pub(crate) link: &'a Link,
    /// How much of the sender's feed was applied before.
    pub(crate) seen: Seq,
    /// How much of it the bundle knows to be acknowledged; 0 from a central.
    pub(crate) after: Seq,
    /// What bounds the times in the bundle; none if nothing does.
    pub(crate) receipt: Option<Receipt>,
    /// Whether this node's own clock is not to be believed.
    pub(crate) clock_doubted: bool,
    pub(crate) merged: &'a Merged,
    /// How the changes stand to those that came before.
    pub(crate) standing: Standing,
}

/// How a bundle's changes stand to those that came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// They follow them.
    Next,
    /// They are the first of a new history of their sender.
    Anew,
    /// They belong to an earlier history of their sender.
    Late,
}

impl Turns<'_> {
    /// All at once, over what is held.
    pub(crate) fn at_once(&self, importer: &mut Importer<'_>, opened: &mut Opened<'_>) -> Result<Tally, ImportError> {
        if self.standing == Standing::Late {
            return self.late(importer, opened);
        }
        let mut changes = Changes::held(importer.store, self.link.id, self.merged)?;
        opened.each(&mut |tables| {
            self.confirm(importer, &tables)?;
            self.incoming(tables, |incoming| changes.add(incoming, self.merged, importer.store.tracking()));
            Ok(())
        })?;
        importer.apply(self.link, &changes, self.clock_doubted)
    }

    /// All at once, under what is held: that is of a later history.
    fn late(&self, importer: &mut Importer<'_>, opened: &mut Opened<'_>) -> Result<Tally, ImportError> {
        let mut changes = Changes::default();
        opened.each(&mut |tables| {
            self.incoming(tables, |mut incoming| {
                // Its sender has forgotten it: what is taken of it goes there too.
                let forgotten = incoming.known(Seq(0));
                incoming.set_known(&forgotten);
                changes.add(incoming, self.merged, importer.store.tracking());
            });
            Ok(())
        })?;
        for held in holding::load(importer.store, self.link.id)? {
            changes.add(held, self.merged, importer.store.tracking());
        }
        importer.apply_late(self.link, &changes, self.clock_doubted)
    }

    fn confirm(&self, importer: &mut Importer<'_>, tables: &[TableChanges]) -> Result<(), ImportError> {
        if self.standing == Standing::Anew {
            importer.confirm(self.link.id, tables, self.seen)?;
        }
        Ok(())
    }

    /// Member by member.
    pub(crate) fn take(&self, importer: &mut Importer<'_>, opened: &mut Opened<'_>) -> Result<Tally, ImportError> {
        let mut held: HashMap<(String, Uid), Incoming> = holding::load(importer.store, self.link.id)?
            .into_iter()
            .map(|held| ((held.table.clone(), held.uid), held))
            .collect();
        let (mut deletions, mut tally) = (Vec::new(), Tally::default());
        opened.each(&mut |tables| {
            self.confirm(importer, &tables)?;
            let mut changes = Changes::default();
            self.incoming(tables, |incoming| {
                if matches!(incoming.action, IncomingAction::Delete { .. }) {
                    deletions.push(incoming);
                    return;
                }
                let before = held.remove(&(incoming.table.clone(), incoming.uid));
                for change in before.into_iter().chain([incoming]) {
                    changes.add(change, self.merged, importer.store.tracking());
                }
            });
            let turn = importer.apply_turn(self.link, &changes, self.clock_doubted, false)?;
            // What is parked or quarantined now is counted when it still is at the end.
            tally += Tally { parked: 0, quarantined: 0, ..turn };
            Ok(())
        })?;
        drop(held);
        let mut changes = Changes::held(importer.store, self.link.id, self.merged)?;
        for deletion in deletions {
            changes.add(deletion, self.merged, importer.store.tracking());
        }
        tally += importer.apply(self.link, &changes, self.clock_doubted)?;
        Ok(tally)
    }

    /// The changes that were not seen before; records that turned out to be others are taken care of elsewhere.
    fn incoming(&self, tables: Vec<TableChanges>, mut take: impl FnMut(Incoming)) {
        for table in tables {
            for record in table.records.into_iter().filter(|record| !is_merge(record)) {
                if let Some(mut incoming) = Incoming::new(&table.table, record, self.seen) {
                    incoming.after = self.after;
                    // Once, and before it may be held: what is tried again later must not claim more than it did.
                    if let Some(receipt) = &self.receipt {
                        incoming.bound_times(receipt);
                    }
                    take(incoming);
                }
            }
        }
    }
}

fn is_merge(record: &RecordChange) -> bool {
    matches!(record.action, Action::Delete { same_as: Some(_), .. })
}
