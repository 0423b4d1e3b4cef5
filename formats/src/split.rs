//! Which records go into which `changes` member, and how they come together again.
//!
//! Invariant: no member exceeds its limits (but one that holds a single record too large for any, which is
//! refused later), and joining what was split gives what it was split from.

use crate::change::{Action, RecordChange, TableChanges, TableDescription};
use crate::limits;

/// Content of one member: half of what may be decoded, so that lengths and versions fit beside it.
const CONTENT_BYTES_MAX: usize = limits::VALUE_BYTES_PER_MEMBER_MAX / 2;

/// How many values `record` brings.
pub(crate) fn values(record: &RecordChange) -> usize {
    match &record.action {
        Action::Write { columns, .. } => columns.len(),
        Action::Delete { seen, .. } => seen.columns.len(),
    }
}

fn bytes(record: &RecordChange) -> usize {
    match &record.action {
        Action::Write { columns, .. } => columns.iter().map(|column| column.value.content_bytes()).sum(),
        Action::Delete { .. } => 0,
    }
}

/// Some records of one table, where they lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TableSlice<'a> {
    pub(crate) table: &'a TableDescription,
    pub(crate) records: &'a [RecordChange],
}

impl<'a> From<&'a TableChanges> for TableSlice<'a> {
    fn from(changes: &'a TableChanges) -> Self {
        Self { table: &changes.table, records: &changes.records }
    }
}

/// The changes of the member that is being filled.
#[derive(Debug, Default)]
pub(crate) struct Filling {
    tables: Vec<TableChanges>,
    records: usize,
    values: usize,
    bytes: usize,
}

impl Filling {
    /// Adds records of `table`, and hands over each member that they fill. They go on with the table before, if
    /// that is the same and `goes_on`.
    pub(crate) fn add<E>(
        &mut self,
        table: &TableDescription,
        records: impl IntoIterator<Item = RecordChange>,
        goes_on: bool,
        full: &mut dyn FnMut(Vec<TableChanges>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut goes_on = goes_on && self.tables.last().is_some_and(|last| last.table == *table);
        let mut records = records.into_iter().peekable();
        if records.peek().is_none() && !goes_on {
            self.open(table, full)?;
        }
        for record in records {
            let (values, bytes) = (values(&record), bytes(&record));
            if !self.has_room(values, bytes) {
                full(self.take())?;
                goes_on = false;
            }
            if !goes_on {
                self.open(table, full)?;
                goes_on = true;
            }
            (self.records, self.values, self.bytes) = (self.records + 1, self.values + values, self.bytes + bytes);
            if let Some(last) = self.tables.last_mut() {
                last.records.push(record);
            }
        }
        Ok(())
    }

    /// What was filled so far; then it is empty.
    pub(crate) fn take(&mut self) -> Vec<TableChanges> {
        std::mem::take(self).tables
    }

    fn open<E>(
        &mut self,
        table: &TableDescription,
        full: &mut dyn FnMut(Vec<TableChanges>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.tables.len() == limits::TABLES_PER_MEMBER_MAX {
            full(self.take())?;
        }
        self.tables.push(TableChanges { table: table.clone(), records: Vec::new() });
        Ok(())
    }

    /// A record too large for any member is alone in its own.
    fn has_room(&self, values: usize, bytes: usize) -> bool {
        let fits = self.records < limits::RECORDS_PER_MEMBER_MAX
            && self.values + values <= limits::VALUES_PER_MEMBER_MAX
            && self.bytes + bytes <= CONTENT_BYTES_MAX;
        fits || self.records == 0
    }
}

/// Appends the tables of the next member; one that was split goes on where the last member ended.
pub(crate) fn join(tables: &mut Vec<TableChanges>, next: Vec<TableChanges>) {
    let mut next = next.into_iter().peekable();
    if let Some(last) = tables.last_mut()
        && let Some(more) = next.next_if(|first| first.table == last.table)
    {
        last.records.extend(more.records);
    }
    tables.extend(next);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::ColumnChange;
    use crate::ids::{Epoch, NodeId, Seq, TimeMs, Uid};
    use crate::value::Value;
    use crate::version::{Version, Writer};

    fn table(name: &str, records: usize, columns: usize, value: &Value) -> TableChanges {
        let writer = Writer { node: NodeId([1; 16]), epoch: Epoch(1) };
        let column = |column: usize| ColumnChange {
            column: column as u16,
            value: value.clone(),
            version: Version { time: TimeMs(1), writer },
            base: None,
            seq: Seq(1),
            effective: None,
        };
        let write = || Action::Write { whole: true, columns: (0..columns).map(column).collect() };
        TableChanges {
            table: TableDescription { name: name.into(), identity: "assigned".into(), columns: Vec::new() },
            records: (0..records).map(|_| RecordChange { uid: Uid([0; 16]), action: write() }).collect(),
        }
    }

    /// The members of these changes, given in pieces of so many records.
    fn split(changes: &[TableChanges], piece: usize) -> Vec<Vec<TableChanges>> {
        let (mut filling, mut members) = (Filling::default(), Vec::new());
        let mut full = |member| {
            members.push(member);
            Ok::<_, ()>(())
        };
        for TableChanges { table, records } in changes {
            filling.add(table, records.iter().take(piece).cloned(), false, &mut full).unwrap();
            for records in records.chunks(piece).skip(1) {
                filling.add(table, records.to_vec(), true, &mut full).unwrap();
            }
        }
        let last = filling.take();
        members.extend((!last.is_empty()).then_some(last));
        members
    }

    fn sizes(changes: &[TableChanges]) -> Vec<usize> {
        let members = split(changes, usize::MAX);
        assert_eq!(members, split(changes, 3_001), "pieces make no difference");
        let mut joined = Vec::new();
        members.iter().for_each(|member| join(&mut joined, member.clone()));
        assert_eq!(joined, changes);
        members.iter().map(|member| member.iter().map(|table| table.records.len()).sum()).collect()
    }

    #[test]
    fn members_are_filled_to_each_limit_and_no_further() {
        let limit = limits::RECORDS_PER_MEMBER_MAX;
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[table("a", limit, 0, &Value::Null)]), [limit]);
        assert_eq!(sizes(&[table("a", limit, 0, &Value::Null), table("b", 1, 0, &Value::Null)]), [limit, 1]);
        assert_eq!(sizes(&[table("a", 2 * limit + 5, 1, &Value::Null)]), [limit, limit, 5]);
        let wide = table("a", 501, 2_000, &Value::Null);
        assert_eq!(sizes(&[wide]), [500, 1]);
        let long = Value::Blob(vec![0; 9 << 20]);
        assert_eq!(sizes(&[table("a", 4, 1, &long)]), [3, 1]);
        let alone = Value::Blob(vec![0; CONTENT_BYTES_MAX + 1]);
        assert_eq!(sizes(&[table("a", 2, 1, &alone)]), [1, 1]);
    }

    #[test]
    fn tables_without_records_are_kept_and_counted() {
        let tables: Vec<_> =
            (0..=limits::TABLES_PER_MEMBER_MAX).map(|n| table(&n.to_string(), 0, 0, &Value::Null)).collect();
        assert_eq!(sizes(&tables), [0, 0]);
    }
}
