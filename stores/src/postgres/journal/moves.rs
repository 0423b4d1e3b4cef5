//! Rows that move from one partition to another: a deletion and an insertion to the triggers, one update to us.

use crate::fold::{Entry, Event};
use crate::record::Key;

/// What stands in the journal.
pub(super) enum Noted {
    Entry(Entry),
    /// An update was about to change a key. If the row moved to another partition, its deletion and its insertion
    /// follow; if not, an update or nothing.
    Moving {
        before: Key,
        after: Key,
        changed: Vec<u16>,
    },
}

struct Moving {
    before: Key,
    after: Key,
    changed: Vec<u16>,
    /// Where its deletion stands, once it has come.
    deletion: Option<usize>,
}

/// The entries of one table, with the two halves of each move as the update that it was.
pub(super) fn join(noted: Vec<Noted>) -> Vec<Entry> {
    let mut moving: Vec<Moving> = Vec::new();
    let mut entries: Vec<Option<Entry>> = Vec::with_capacity(noted.len());
    for noted in noted {
        let mut entry = match noted {
            Noted::Entry(entry) => entry,
            Noted::Moving { before, after, changed } => {
                moving.push(Moving { before, after, changed, deletion: None });
                continue;
            }
        };
        match &entry.event {
            Event::Delete { key, .. } => {
                let leaves = |moving: &&mut Moving| moving.deletion.is_none() && moving.before == *key;
                if let Some(moving) = moving.iter_mut().rev().find(leaves) {
                    moving.deletion = Some(entries.len());
                }
            }
            Event::Insert { key } => {
                let arrives = |moving: &Moving| moving.deletion.is_some() && moving.after == *key;
                if let Some(at) = moving.iter().rposition(arrives) {
                    let Moving { before, after, changed, deletion } = moving.remove(at);
                    if let Some(deletion) = deletion.and_then(|deletion| entries.get_mut(deletion)) {
                        *deletion = None;
                    }
                    entry.event = Event::Update { before, after, changed };
                }
            }
            Event::Update { before, after, .. } => {
                if let Some(at) = moving.iter().rposition(|moving| moving.before == *before && moving.after == *after) {
                    moving.remove(at);
                }
            }
            Event::Covered { .. } => {}
        }
        entries.push(Some(entry));
    }
    entries.into_iter().flatten().collect()
}
