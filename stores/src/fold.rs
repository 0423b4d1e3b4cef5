//! Folds journal entries of one table into what became of each record. No database in it.

use std::collections::HashMap;

use saddlebag_formats::faults::{Fault, is_on};
use saddlebag_formats::{TimeMs, Value};

use crate::record::Key;

/// One journal entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When, by the wall clock.
    pub at: TimeMs,
    /// What happened.
    pub event: Event,
}

/// What a trigger noted.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A row came.
    Insert {
        /// Its key.
        key: Key,
    },
    /// A row changed.
    Update {
        /// Its key before.
        before: Key,
        /// Its key after.
        after: Key,
        /// The columns that changed, by id.
        changed: Vec<u16>,
    },
    /// A row went.
    Delete {
        /// Its key.
        key: Key,
        /// Its last values of this database, by column id.
        old: Vec<(u16, Value)>,
    },
    /// A row was about to be replaced by another one with equal unique values; whether it was shows in the table.
    Covered {
        /// Its key.
        key: Key,
        /// Its values of this database, by column id.
        old: Vec<(u16, Value)>,
    },
}

/// What became of the rows of one table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Folded {
    /// Rows that no row state is known of, at their present key.
    pub fresh: Vec<Fresh>,
    /// Rows that were there before and still are.
    pub edited: Vec<Edited>,
    /// Rows that were there before and are gone.
    pub gone: Vec<Gone>,
}

/// A row that no row state is known of.
#[derive(Debug, Clone, PartialEq)]
pub struct Fresh {
    /// Its key.
    pub key: Key,
    /// When it last changed; 0 if setup found it.
    pub at: TimeMs,
}

/// A row that was there before and still is.
#[derive(Debug, Clone, PartialEq)]
pub struct Edited {
    /// The key under which its row state stands.
    pub origin: Key,
    /// Its present key.
    pub key: Key,
    /// The columns that changed, by id, rising; all if none is named.
    pub changed: Option<Vec<u16>>,
    /// When it last changed.
    pub at: TimeMs,
    /// Its last values of this database, by column id, if it may have been replaced by another row.
    pub covered: Option<Vec<(u16, Value)>>,
}

/// A row that was there before and is gone.
#[derive(Debug, Clone, PartialEq)]
pub struct Gone {
    /// The key under which its row state stands.
    pub origin: Key,
    /// Its last values of this database, by column id; empty if it was replaced without a trace.
    pub old: Vec<(u16, Value)>,
    /// The columns that had changed before it went, by id, rising; all if none is named.
    pub changed: Option<Vec<u16>>,
    /// When.
    pub at: TimeMs,
}

/// The row that stands at a key while the journal is read.
#[derive(Debug, Clone)]
struct Standing {
    /// The key of its row state, if it has one.
    origin: Option<Key>,
    changed: Option<Vec<u16>>,
    at: TimeMs,
    covered: Option<Vec<(u16, Value)>>,
    /// Whether a row came right after it was covered, at another key: it is not there any more.
    is_replaced: bool,
}

impl Standing {
    fn new(origin: Option<Key>, changed: Option<Vec<u16>>, at: TimeMs) -> Self {
        Self { origin, changed, at, covered: None, is_replaced: false }
    }

    /// The row of a row state, untouched.
    fn untouched(key: &Key) -> Self {
        Self::new(Some(key.clone()), Some(Vec::new()), TimeMs(0))
    }
}

/// Folds the entries of one table, in the order in which they were written. `has_state` says whether a row state
/// stands under a key.
#[must_use]
pub fn fold(mut entries: Vec<Entry>, has_state: &dyn Fn(&Key) -> bool) -> Folded {
    let mut folder =
        Folder { has_state, standing: HashMap::new(), order: Vec::new(), gone: Vec::new(), covered: Vec::new() };
    if is_on(Fault::LateEntrySkipped) && entries.get(3).is_some() {
        entries.pop();
    }
    for entry in entries {
        folder.take(entry);
    }
    folder.finish()
}

struct Folder<'a> {
    has_state: &'a dyn Fn(&Key) -> bool,
    /// What stands at each key that was touched; none where the row is gone.
    standing: HashMap<Key, Option<Standing>>,
    order: Vec<Key>,
    gone: Vec<Gone>,
    /// Rows that the next row to come may replace.
    covered: Vec<Key>,
}

impl Folder<'_> {
    fn take(&mut self, entry: Entry) {
        let at = entry.at;
        match entry.event {
            Event::Insert { key } => {
                self.replace_covered(&key);
                self.insert(key, at);
            }
            Event::Update { before, after, changed } => {
                self.replace_covered(&after);
                self.update(before, after, changed, at);
            }
            Event::Delete { key, old } => {
                if let Some(Standing { origin: Some(origin), changed, .. }) = self.remove(&key) {
                    self.gone.push(Gone { origin, old, changed, at });
                }
            }
            Event::Covered { key, old } => {
                if let Some(standing) = self.remove(&key) {
                    let at = standing.at.max(at);
                    let covered = Standing { at, covered: Some(old), is_replaced: false, ..standing };
                    self.covered.push(key.clone());
                    self.standing.insert(key, Some(covered));
                }
            }
        }
    }

    /// The rows that were in the way of the one that has come at `key` are gone.
    fn replace_covered(&mut self, key: &Key) {
        for covered in self.covered.drain(..).filter(|covered| covered != key) {
            if let Some(Some(standing)) = self.standing.get_mut(&covered) {
                standing.is_replaced = true;
            }
        }
    }

    /// Takes away what stands at `key`; for a key not touched yet, what its row state says.
    fn remove(&mut self, key: &Key) -> Option<Standing> {
        let touched = self.standing.insert(key.clone(), None);
        if touched.is_none() {
            self.order.push(key.clone());
        }
        match touched {
            Some(standing) => standing,
            None => (self.has_state)(key).then(|| Standing::untouched(key)),
        }
    }

    /// A row at a key where one stood is `INSERT OR REPLACE`, which fires no delete trigger: the same record, all
    /// of whose columns may have changed. Unless the one that stood there was replaced by a row at another key before.
    fn insert(&mut self, key: Key, at: TimeMs) {
        let origin = match self.remove(&key) {
            Some(Standing { origin: Some(origin), covered: Some(old), is_replaced: true, changed, at }) => {
                self.gone.push(Gone { origin, old, changed, at });
                None
            }
            before => before.and_then(|before| before.origin),
        };
        self.standing.insert(key, Some(Standing::new(origin, None, at)));
    }

    fn update(&mut self, before: Key, after: Key, changed: Vec<u16>, at: TimeMs) {
        let mut standing = self.remove(&before).unwrap_or(Standing::new(None, Some(Vec::new()), at));
        (standing.covered, standing.is_replaced) = (None, false);
        if let Some(known) = &mut standing.changed {
            known.extend(changed);
            known.sort_unstable();
            known.dedup();
        }
        standing.at = standing.at.max(at);
        if before != after
            && let Some(Standing { origin: Some(origin), changed, covered, .. }) = self.remove(&after)
        {
            self.gone.push(Gone { origin, old: covered.unwrap_or_default(), changed, at });
        }
        self.standing.insert(after, Some(standing));
    }

    fn finish(mut self) -> Folded {
        let mut folded = Folded { gone: self.gone, ..Folded::default() };
        for key in self.order {
            let Some(Some(standing)) = self.standing.remove(&key) else { continue };
            match standing.origin {
                Some(origin) => {
                    let Standing { changed, at, covered, .. } = standing;
                    folded.edited.push(Edited { origin, key, changed, at, covered });
                }
                None => folded.fresh.push(Fresh { key, at: standing.at }),
            }
        }
        folded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: i64) -> Key {
        Key(vec![Value::Integer(number)])
    }

    fn entries(events: Vec<Event>) -> Vec<Entry> {
        events.into_iter().zip(1..).map(|(event, at)| Entry { at: TimeMs(at), event }).collect()
    }

    fn update(number: i64, columns: &[u16]) -> Event {
        Event::Update { before: key(number), after: key(number), changed: columns.to_vec() }
    }

    #[test]
    fn forty_edits_are_one_change() {
        let folded = fold(entries((0..40).map(|n| update(1, &[n % 3])).collect()), &|_| true);
        let changed = Some(vec![0, 1, 2]);
        let edited = Edited { origin: key(1), key: key(1), changed, at: TimeMs(40), covered: None };
        assert_eq!(folded, Folded { edited: vec![edited], ..Folded::default() });
    }

    #[test]
    fn what_came_and_went_between_two_absorbs_leaves_nothing() {
        let events = vec![Event::Insert { key: key(1) }, update(1, &[0]), Event::Delete { key: key(1), old: vec![] }];
        assert_eq!(fold(entries(events), &|_| false), Folded::default());
    }

    #[test]
    fn a_key_used_again_is_another_record() {
        let events = vec![Event::Delete { key: key(1), old: vec![(0, Value::Null)] }, Event::Insert { key: key(1) }];
        let folded = fold(entries(events), &|_| true);
        assert_eq!(folded.gone.len(), 1);
        assert_eq!(folded.fresh, [Fresh { key: key(1), at: TimeMs(2) }]);
        assert!(folded.edited.is_empty());
    }

    #[test]
    fn what_changed_before_a_row_went_is_known() {
        let folded = fold(entries(vec![update(1, &[3]), Event::Delete { key: key(1), old: vec![] }]), &|_| true);
        assert_eq!(folded.gone[0].changed, Some(vec![3]));
    }

    #[test]
    fn a_row_that_was_replaced_is_the_same_record() {
        let folded = fold(entries(vec![Event::Insert { key: key(1) }]), &|_| true);
        let edited = Edited { origin: key(1), key: key(1), changed: None, at: TimeMs(1), covered: None };
        assert_eq!(folded.edited, [edited]);
    }

    #[test]
    fn a_row_that_another_may_have_replaced_is_looked_at() {
        let old = vec![(0, Value::Integer(7))];
        let covered = Event::Covered { key: key(1), old: old.clone() };
        let folded = fold(entries(vec![covered.clone(), Event::Insert { key: key(2) }]), &|k| *k == key(1));
        assert_eq!((folded.fresh.len(), folded.edited[0].covered.as_ref()), (1, Some(&old)));
        assert_eq!(folded.edited[0].at, TimeMs(1), "if it went, it went then");
        // The key is used again after its row was replaced, and the row that replaced it went.
        let again = vec![
            covered.clone(),
            Event::Insert { key: key(2) },
            Event::Delete { key: key(2), old: Vec::new() },
            Event::Insert { key: key(1) },
        ];
        let folded = fold(entries(again), &|k| *k == key(1));
        assert_eq!((folded.gone.len(), folded.gone[0].old.as_slice(), folded.edited.len()), (1, old.as_slice(), 0));
        assert_eq!(folded.fresh[0].key, key(1), "another record");
        let same = fold(entries(vec![covered.clone(), Event::Insert { key: key(1) }]), &|_| true);
        assert_eq!((same.gone.len(), same.edited.len()), (0, 1), "replaced at its own key");
        let ignored =
            vec![covered.clone(), Event::Insert { key: key(5) }, covered.clone(), Event::Insert { key: key(1) }];
        let same = fold(entries(ignored), &|k| *k == key(1));
        assert_eq!((same.gone.len(), same.edited.len()), (0, 1), "it was still there when it was covered again");
        let folded = fold(entries(vec![covered, update(1, &[0])]), &|_| true);
        assert_eq!(folded.edited[0].covered, None, "it was still there");
    }

    #[test]
    fn a_row_that_takes_the_key_of_another_one_replaced_it() {
        let moved = Event::Update { before: key(1), after: key(2), changed: vec![0] };
        let folded = fold(entries(vec![moved]), &|_| true);
        assert_eq!(folded.gone, [Gone { origin: key(2), old: vec![], changed: Some(vec![]), at: TimeMs(1) }]);
        assert_eq!((&folded.edited[0].origin, &folded.edited[0].key), (&key(1), &key(2)));
    }

    #[test]
    fn keys_that_change_places_keep_their_records() {
        let moved = |before, after| Event::Update { before: key(before), after: key(after), changed: vec![] };
        let folded = fold(entries(vec![moved(1, 9), moved(2, 1), moved(9, 2)]), &|key| key.0[0] != Value::Integer(9));
        let mut pairs: Vec<_> = folded.edited.iter().map(|e| (e.origin.clone(), e.key.clone())).collect();
        pairs.sort_by_key(|(origin, _)| format!("{origin:?}"));
        assert_eq!(pairs, [(key(1), key(2)), (key(2), key(1))]);
        assert!(folded.gone.is_empty() && folded.fresh.is_empty());
    }
}
