//! Which records go into which `changes` member, and how they come together again.
//!
//! Invariant: no member exceeds its limits (but one that holds a single record too large for any, which is
//! refused later), and joining what was split gives what it was split from.

use crate::change::{Action, RecordChange, TableChanges, TableDescription};
use crate::limits;
use crate::wire_value::content_bytes;

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
        Action::Write { columns, .. } => columns.iter().map(|column| content_bytes(&column.value)).sum(),
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

#[derive(Default)]
struct Member<'a> {
    tables: Vec<TableSlice<'a>>,
    records: usize,
    values: usize,
    bytes: usize,
}

impl<'a> Member<'a> {
    /// Takes as many of the first `records` as there is room for, and at least one if there is no other.
    fn fill(&mut self, table: &'a TableDescription, records: &'a [RecordChange]) -> usize {
        let taken = records.iter().take_while(|record| self.takes(record)).count();
        self.tables.push(TableSlice { table, records: &records[..taken] });
        taken
    }

    fn takes(&mut self, record: &RecordChange) -> bool {
        let (values, bytes) = (self.values + values(record), self.bytes + bytes(record));
        let fits = self.records < limits::RECORDS_PER_MEMBER_MAX
            && values <= limits::VALUES_PER_MEMBER_MAX
            && bytes <= CONTENT_BYTES_MAX;
        let takes = fits || self.records == 0;
        if takes {
            (self.records, self.values, self.bytes) = (self.records + 1, values, bytes);
        }
        takes
    }
}

/// The changes of each member, in order.
pub(crate) fn split(changes: &[TableChanges]) -> Vec<Vec<TableSlice<'_>>> {
    let mut full = Vec::new();
    let mut member = Member::default();
    for TableChanges { table, records } in changes {
        if member.tables.len() == limits::TABLES_PER_MEMBER_MAX {
            full.push(std::mem::take(&mut member).tables);
        }
        let mut rest = &records[member.fill(table, records)..];
        while !rest.is_empty() {
            full.push(std::mem::take(&mut member).tables);
            rest = &rest[member.fill(table, rest)..];
        }
    }
    if !member.tables.is_empty() {
        full.push(member.tables);
    }
    full
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

    fn sizes(changes: &[TableChanges]) -> Vec<usize> {
        let members = split(changes);
        let mut joined = Vec::new();
        for member in &members {
            let own =
                |slice: &TableSlice<'_>| TableChanges { table: slice.table.clone(), records: slice.records.to_vec() };
            join(&mut joined, member.iter().map(own).collect());
        }
        assert_eq!(joined, changes);
        members.iter().map(|member| member.iter().map(|slice| slice.records.len()).sum()).collect()
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
