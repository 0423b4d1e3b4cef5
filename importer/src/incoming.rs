//! A change with its columns by name, so that changes of several bundles can be laid over each other.

use std::collections::BTreeMap;

use saddlebag_formats::{
    Action, ColumnChange, ColumnDescription, RecordChange, Seen, SeenVersions, Seq, TableDescription, Uid, Version,
};

use crate::clocks::Receipt;
use crate::merge::New;

/// One record's change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Incoming {
    pub(crate) table: String,
    pub(crate) identity: String,
    pub(crate) uid: Uid,
    pub(crate) action: IncomingAction,
    /// Its first place in the sender's feed: the order of execution.
    pub(crate) seq: Seq,
    /// The record of which it spoke, where that turned out to be another one.
    pub(crate) merged_from: Option<Uid>,
    /// How much of its sender's feed this node had acknowledged when the bundle was made.
    pub(crate) after: Seq,
    /// Why it was held before this import, if it was.
    pub(crate) held_as: Option<HeldAs>,
}

/// How a change was held.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HeldAs {
    /// The reason that its sender was last told.
    pub(crate) told: Option<String>,
    /// The record as it was named then.
    pub(crate) uid: Uid,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum IncomingAction {
    Write { whole: bool, columns: BTreeMap<String, IncomingColumn> },
    Delete { version: Version, seen: SeenByName, known: Option<Seq>, same_as: Option<Uid> },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IncomingColumn {
    pub(crate) new: New,
    pub(crate) references: Option<String>,
    pub(crate) seq: Seq,
}

/// What a deletion had seen, by column name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeenByName {
    pub(crate) row: Seen,
    pub(crate) columns: BTreeMap<String, Seen>,
}

impl SeenByName {
    /// What a deletion had seen, by the description of its table.
    pub(crate) fn new(table: &TableDescription, seen: &SeenVersions) -> Self {
        let name = |index: u16| table.columns.get(usize::from(index)).map(|column| column.name.clone());
        let columns = seen.columns.iter().filter_map(|(index, seen)| Some((name(*index)?, *seen))).collect();
        Self { row: seen.row, columns }
    }

    pub(crate) fn of(&self, column: &str) -> Seen {
        self.columns.get(column).copied().unwrap_or(self.row)
    }
}

impl Incoming {
    /// A change as a bundle has it; columns that lie up to `applied` were seen before and are left out. None if
    /// nothing is left.
    pub(crate) fn new(table: &TableDescription, change: RecordChange, applied: Seq) -> Option<Self> {
        let (action, seq) = match change.action {
            Action::Write { whole, columns } => {
                let count = columns.len();
                let fresh: Vec<ColumnChange> = columns.into_iter().filter(|column| column.seq > applied).collect();
                let seq = fresh.iter().map(|column| column.seq).min()?;
                let whole = whole && fresh.len() == count;
                let columns = fresh.into_iter().filter_map(|column| {
                    let described = table.columns.get(usize::from(column.column))?;
                    Some((described.name.clone(), incoming_column(column, described)))
                });
                (IncomingAction::Write { whole, columns: columns.collect() }, seq)
            }
            Action::Delete { version, seq, seen, same_as } => {
                if seq <= applied {
                    return None;
                }
                let seen = SeenByName::new(table, &seen);
                (IncomingAction::Delete { version, seen, known: None, same_as }, seq)
            }
        };
        Some(Self {
            table: table.name.clone(),
            identity: table.identity.clone(),
            uid: change.uid,
            action,
            seq,
            merged_from: None,
            after: Seq(0),
            held_as: None,
        })
    }

    /// Lays a later change of the same record over this held one, and gives back what was held of columns that
    /// the sender overwrote with something that it had from elsewhere.
    ///
    /// A column that was written upon what is held keeps the base of what is held: that is what this node's own
    /// value must be compared with.
    pub(crate) fn overlay(&mut self, later: Self) -> Vec<(String, IncomingColumn)> {
        let mut replaced = Vec::new();
        self.identity = later.identity;
        self.merged_from = self.merged_from.or(later.merged_from);
        self.held_as = self.held_as.take().or(later.held_as);
        match (&mut self.action, later.action) {
            (
                IncomingAction::Write { whole, columns },
                IncomingAction::Write { whole: later_whole, columns: later_columns },
            ) => {
                *whole |= later_whole;
                for (name, mut column) in later_columns {
                    // Whoever knew that the held value had arrived and wrote upon what was there before it had taken
                    // that back in between; unless nothing was: it created the record.
                    let is_unseen = |held: &IncomingColumn| {
                        let is_other = column.new.version != held.new.version;
                        is_other && column.new.base.is_some() && later.after >= held.seq
                    };
                    // Its writer went back to before it had written what is held.
                    let is_forgotten = |held: &IncomingColumn| {
                        let (now, then) = (column.new.version, held.new.version);
                        now.writer.node == then.writer.node && (now < then || now.writer.epoch > then.writer.epoch)
                    };
                    match columns.get(&name) {
                        Some(held) if column.new.version == held.new.version => {}
                        Some(held) if column.new.base == Some(held.new.version) => column.new.base = held.new.base,
                        Some(held) if column.new.base != held.new.base || is_unseen(held) || is_forgotten(held) => {
                            replaced.push((name.clone(), held.clone()))
                        }
                        _ => {}
                    }
                    columns.insert(name, column);
                }
            }
            (action, later_action) => {
                if let (IncomingAction::Write { columns, .. }, IncomingAction::Delete { seen, .. }) =
                    (&*action, &later_action)
                {
                    replaced.extend(unseen(columns, seen));
                }
                *action = later_action;
            }
        }
        replaced
    }

    /// Notes how much of this node's feed the sender had applied, `acknowledged` where that came just now: for each
    /// column in the order of [`Incoming::to_change`].
    pub(crate) fn known(&self, acknowledged: Seq) -> Vec<Seq> {
        match &self.action {
            IncomingAction::Write { columns, .. } => {
                columns.values().map(|column| column.new.known.unwrap_or(acknowledged)).collect()
            }
            IncomingAction::Delete { known, .. } => vec![known.unwrap_or(acknowledged)],
        }
    }

    /// Takes back what [`Incoming::known`] noted.
    pub(crate) fn set_known(&mut self, noted: &[Seq]) {
        match &mut self.action {
            IncomingAction::Write { columns, .. } => {
                for (column, seq) in columns.values_mut().zip(noted) {
                    column.new.known = Some(*seq);
                }
            }
            IncomingAction::Delete { known, .. } => *known = noted.first().copied(),
        }
    }

    /// Gives each column the time by which it counts, now that it comes.
    pub(crate) fn bound_times(&mut self, receipt: &Receipt) {
        if let IncomingAction::Write { columns, .. } = &mut self.action {
            for IncomingColumn { new, .. } in columns.values_mut() {
                new.effective = receipt.effective(new.version, new.base, new.effective);
            }
        }
    }

    /// The record as its sender names it.
    pub(crate) fn sent_uid(&self) -> Uid {
        self.merged_from.unwrap_or(self.uid)
    }

    /// The change in the form in which it is kept.
    pub(crate) fn to_change(&self) -> (TableDescription, RecordChange) {
        let mut description =
            TableDescription { name: self.table.clone(), identity: self.identity.clone(), columns: Vec::new() };
        let action = match &self.action {
            IncomingAction::Write { whole, columns } => {
                let mut changes = Vec::with_capacity(columns.len());
                for ((name, column), index) in columns.iter().zip(0..) {
                    let references = column.references.clone();
                    description.columns.push(ColumnDescription { name: name.clone(), references });
                    changes.push(ColumnChange {
                        column: index,
                        value: column.new.value.clone(),
                        version: column.new.version,
                        base: column.new.base,
                        seq: column.seq,
                        effective: column.new.effective,
                    });
                }
                Action::Write { whole: *whole, columns: changes }
            }
            IncomingAction::Delete { version, seen, same_as, .. } => {
                let mut columns = Vec::with_capacity(seen.columns.len());
                for ((name, known), index) in seen.columns.iter().zip(0..) {
                    description.columns.push(ColumnDescription { name: name.clone(), references: None });
                    columns.push((index, *known));
                }
                let seen = SeenVersions { row: seen.row, columns };
                Action::Delete { version: *version, seq: self.seq, seen, same_as: *same_as }
            }
        };
        (description, RecordChange { uid: self.sent_uid(), action })
    }
}

/// The held columns that a deletion had not seen.
fn unseen(columns: &BTreeMap<String, IncomingColumn>, seen: &SeenByName) -> Vec<(String, IncomingColumn)> {
    let is_unseen = |(name, column): &(&String, &IncomingColumn)| {
        let known = seen.of(name);
        column.new.version != known.version && Some(column.new.version) != known.base
    };
    columns.iter().filter(is_unseen).map(|(name, column)| (name.clone(), column.clone())).collect()
}

fn incoming_column(column: ColumnChange, described: &ColumnDescription) -> IncomingColumn {
    IncomingColumn {
        new: New {
            value: column.value,
            version: column.version,
            base: column.base,
            effective: column.effective,
            known: None,
        },
        references: described.references.clone(),
        seq: column.seq,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saddlebag_formats::{Epoch, NodeId, TimeMs, Value, Writer};

    fn version(time: i64) -> Version {
        Version { time: TimeMs(time), writer: Writer { node: NodeId([1; 16]), epoch: Epoch(1) } }
    }

    fn description() -> TableDescription {
        let column = |name: &str| ColumnDescription { name: name.into(), references: None };
        TableDescription { name: "t".into(), identity: "assigned".into(), columns: vec![column("a"), column("b")] }
    }

    fn write(whole: bool, columns: &[(u16, i64, Option<i64>, u64)]) -> RecordChange {
        let column = |(column, time, base, seq): &(u16, i64, Option<i64>, u64)| ColumnChange {
            column: *column,
            value: Value::Integer(*time),
            version: version(*time),
            base: base.map(version),
            seq: Seq(*seq),
            effective: None,
        };
        let columns = columns.iter().map(column).collect();
        RecordChange { uid: Uid([7; 16]), action: Action::Write { whole, columns } }
    }

    #[test]
    fn what_was_seen_before_is_left_out() {
        let change = write(true, &[(0, 1, None, 4), (1, 2, None, 9)]);
        let incoming = Incoming::new(&description(), change.clone(), Seq(4)).unwrap();
        let IncomingAction::Write { whole, columns } = &incoming.action else { panic!("a write") };
        assert!(!whole);
        assert_eq!(columns.keys().collect::<Vec<_>>(), ["b"]);
        assert!(Incoming::new(&description(), change, Seq(9)).is_none());
    }

    #[test]
    fn a_later_change_is_laid_over_the_held_one_with_its_first_base() {
        let mut held =
            Incoming::new(&description(), write(true, &[(0, 10, Some(5), 1), (1, 11, None, 1)]), Seq(0)).unwrap();
        let later = Incoming::new(&description(), write(false, &[(0, 20, Some(10), 2)]), Seq(1)).unwrap();
        assert!(held.overlay(later).is_empty());
        let IncomingAction::Write { whole, columns } = &held.action else { panic!("a write") };
        assert!(*whole);
        assert_eq!((columns["a"].new.version, columns["a"].new.base), (version(20), Some(version(5))));
        assert_eq!(columns["b"].new.version, version(11));
    }

    #[test]
    fn what_the_sender_had_from_elsewhere_is_its_own_base() {
        let mut held = Incoming::new(&description(), write(false, &[(0, 10, Some(5), 1)]), Seq(0)).unwrap();
        let later = Incoming::new(&description(), write(false, &[(0, 30, Some(25), 2)]), Seq(1)).unwrap();
        let replaced = held.overlay(later);
        assert_eq!(replaced[0].1.new.version, version(10));
        let IncomingAction::Write { columns, .. } = &held.action else { panic!("a write") };
        assert_eq!(columns["a"].new.base, Some(version(25)));
    }

    #[test]
    fn what_was_written_upon_ones_own_held_creation_replaces_nothing() {
        let held =
            || Incoming::new(&description(), write(true, &[(0, 10, None, 1), (1, 11, Some(5), 1)]), Seq(0)).unwrap();
        let mut later =
            Incoming::new(&description(), write(false, &[(0, 20, None, 2), (1, 21, Some(5), 2)]), Seq(0)).unwrap();
        later.after = Seq(1);
        let replaced = held().overlay(later);
        assert_eq!(replaced.iter().map(|(column, _)| column.as_str()).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn what_its_writer_has_forgotten_is_given_back() {
        let held = || Incoming::new(&description(), write(true, &[(0, 30, None, 1)]), Seq(0)).unwrap();
        let given_back = |time, epoch| {
            let mut later = Incoming::new(&description(), write(true, &[(0, time, None, 1)]), Seq(0)).unwrap();
            let IncomingAction::Write { columns, .. } = &mut later.action else { panic!("a write") };
            columns.values_mut().for_each(|column| column.new.version.writer.epoch = Epoch(epoch));
            held().overlay(later).len()
        };
        assert_eq!([given_back(40, 1), given_back(30, 1)], [0, 0], "written upon it, and the same");
        assert_eq!([given_back(20, 1), given_back(40, 2)], [1, 1], "older than it, and of a later history");
    }

    #[test]
    fn a_deletion_gives_back_the_held_values_that_it_had_not_seen() {
        let held =
            || Incoming::new(&description(), write(false, &[(0, 10, Some(5), 1), (1, 11, None, 1)]), Seq(0)).unwrap();
        let seen = |time| Seen { version: version(time), base: Some(version(11)) };
        let delete = |time| {
            let seen = SeenVersions { row: seen(time), columns: Vec::new() };
            let action = Action::Delete { version: version(40), seq: Seq(2), seen, same_as: None };
            Incoming::new(&description(), RecordChange { uid: Uid([7; 16]), action }, Seq(1)).unwrap()
        };
        assert!(held().overlay(delete(10)).is_empty());
        let replaced = held().overlay(delete(30));
        assert_eq!((replaced.len(), replaced[0].0.as_str()), (1, "a"));
    }

    #[test]
    fn what_is_kept_is_what_came() {
        let incoming =
            Incoming::new(&description(), write(true, &[(0, 10, Some(5), 3), (1, 11, None, 4)]), Seq(0)).unwrap();
        let (description, change) = incoming.to_change();
        assert_eq!(Incoming::new(&description, change, Seq(0)), Some(incoming));
    }
}
