//! One table inside a `changes` member, column by column.
//!
//! Per record: its uid's place in the member's dictionary, its shape (which columns it brings), its layer,
//! and the layers of those columns that differ; then the values, each column together. Invariant: what is
//! read has columns that rise within each record, every index within its list, and no more records, values
//! and bytes than the budget allows.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::bounded::Bounded;
use crate::budget::Budget;
use crate::change::{Action, ColumnChange, RecordChange, Seen, SeenVersions, TableChanges};
use crate::columns::ColumnV1;
use crate::ids::{Seq, Uid};
use crate::integers::IntegersV1;
use crate::layers::{Exception, ExceptionsV1, Layer, LayersV1, Writers};
use crate::limits::{COLUMNS_PER_TABLE_MAX, RECORDS_PER_MEMBER_MAX};
use crate::members::ChangesError;
use crate::split::TableSlice;
use crate::table_description::TableDescriptionV1;
use crate::uids::UidIndexes;
use crate::value::Value;
use crate::version::Writer;

/// A table on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableV1 {
    description: TableDescriptionV1,
    records: u32,
    /// Of each record, in the dictionary of uids.
    uids: IntegersV1,
    /// The different shapes.
    shapes: Bounded<ShapeV1, RECORDS_PER_MEMBER_MAX>,
    /// Of each record, in `shapes`.
    shape_of: IntegersV1,
    /// Of each record that is deleted or brings a column.
    layers: LayersV1,
    /// Of the columns that differ from their record's.
    exceptions: ExceptionsV1,
    /// Of each deletion: what it had seen. Neither places nor effective times.
    seen: LayersV1,
    /// Of the columns of which it had seen something else; records are counted among deletions.
    seen_columns: ExceptionsV1,
    /// Of each deletion of a record that turned out to be another one: that one, in the dictionary of uids.
    same_as: IntegersV1,
    /// One for each column of the description.
    columns: Bounded<ColumnV1, COLUMNS_PER_TABLE_MAX>,
}

/// Which columns a record brings, each by how many are skipped after the one before.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum ShapeV1 {
    Delete,
    /// Some columns of a record that the receiver may know.
    Part(Bounded<u16, COLUMNS_PER_TABLE_MAX>),
    /// Every column that the sender shares.
    Whole(Bounded<u16, COLUMNS_PER_TABLE_MAX>),
    /// A deletion of a record that turned out to be another one.
    Merged,
}

impl ShapeV1 {
    fn of(action: &Action) -> Self {
        let (whole, columns) = match action {
            Action::Write { whole, columns } => (whole, columns),
            Action::Delete { same_as: None, .. } => return Self::Delete,
            Action::Delete { same_as: Some(_), .. } => return Self::Merged,
        };
        let mut next = 0;
        let gap = |column: &ColumnChange| {
            let gap = column.column - next;
            next = column.column + 1;
            gap
        };
        let gaps = Bounded(columns.iter().map(gap).collect());
        if *whole { Self::Whole(gaps) } else { Self::Part(gaps) }
    }

    /// None for a deletion of either kind; else whether it is whole, and its columns.
    fn read(&self, columns: usize) -> Result<Option<(bool, Vec<u16>)>, ChangesError> {
        let (whole, gaps) = match self {
            Self::Delete | Self::Merged => return Ok(None),
            Self::Part(gaps) => (false, gaps),
            Self::Whole(gaps) => (true, gaps),
        };
        let mut next = 0;
        let column = |gap: &u16| {
            let column = next + usize::from(*gap);
            next = column + 1;
            let within = column < columns;
            within.then_some(column as u16).ok_or(ChangesError::Index { what: "shapes", number: column as i64 })
        };
        gaps.0.iter().map(column).collect::<Result<_, _>>().map(|list| Some((whole, list)))
    }
}

/// What a table is written from.
#[derive(Default)]
struct Gathered {
    layers: Vec<Layer>,
    exceptions: Vec<Exception>,
    seen: Vec<Layer>,
    seen_columns: Vec<Exception>,
    same_as: Vec<Uid>,
}

impl Gathered {
    fn add(&mut self, action: &Action) {
        match action {
            Action::Write { columns, .. } => self.add_write(columns),
            Action::Delete { version, seq, seen, same_as } => {
                self.same_as.extend(*same_as);
                self.layers.push(Layer { version: *version, base: None, effective: None, seq: *seq });
                let deletion = self.seen.len();
                self.seen.push(seen_layer(&seen.row));
                let columns = seen.columns.iter().map(|(column, seen)| (deletion, *column, seen_layer(seen)));
                self.seen_columns.extend(columns);
            }
        }
    }

    fn add_write(&mut self, columns: &[ColumnChange]) {
        let layers: Vec<Layer> = columns.iter().map(Layer::of).collect();
        let Some(row) = most_frequent(&layers) else { return };
        let record = self.layers.len();
        self.layers.push(row);
        let differing = columns.iter().zip(layers).filter(|(_, layer)| *layer != row);
        self.exceptions.extend(differing.map(|(column, layer)| (record, column.column, layer)));
    }
}

fn most_frequent(layers: &[Layer]) -> Option<Layer> {
    let first = *layers.first()?;
    if layers.iter().all(|layer| *layer == first) {
        return Some(first);
    }
    let mut counts: HashMap<Layer, usize> = HashMap::new();
    layers.iter().for_each(|layer| *counts.entry(*layer).or_default() += 1);
    // The first of those that are equally frequent, whatever the order of the map.
    layers.iter().rev().max_by_key(|layer| counts[layer]).copied()
}

fn seen_layer(seen: &Seen) -> Layer {
    Layer { version: seen.version, base: seen.base, effective: None, seq: Seq(0) }
}

impl TableV1 {
    pub(crate) fn of(table: &TableSlice<'_>, uids: &UidIndexes, writers: &mut Writers) -> Result<Self, ChangesError> {
        check(table)?;
        let mut gathered = Gathered::default();
        table.records.iter().for_each(|record| gathered.add(&record.action));
        let (shapes, shape_of) = shapes(table.records);
        let indexes: Vec<i64> = table.records.iter().map(|record| uids.index(record.uid)).collect();
        let values = values_by_column(table);
        Ok(Self {
            description: TableDescriptionV1::from(table.table),
            records: table.records.len() as u32,
            uids: IntegersV1::of(&indexes),
            shapes: Bounded(shapes),
            shape_of: IntegersV1::of(&shape_of),
            layers: LayersV1::of(&gathered.layers, writers),
            exceptions: ExceptionsV1::of(&gathered.exceptions, writers),
            seen: LayersV1::of(&gathered.seen, writers),
            seen_columns: ExceptionsV1::of(&gathered.seen_columns, writers),
            same_as: IntegersV1::of(&gathered.same_as.iter().map(|uid| uids.index(*uid)).collect::<Vec<_>>()),
            columns: Bounded(values.iter().map(|values| ColumnV1::of(values, uids)).collect()),
        })
    }

    pub(crate) fn read(
        &self,
        uids: &[Uid],
        writers: &[Writer],
        budget: &mut Budget,
    ) -> Result<TableChanges, ChangesError> {
        let (records, columns) = (self.records as usize, self.description.columns());
        budget.take_records(records)?;
        if self.columns.0.len() != columns {
            return Err(ChangesError::Count { what: "columns", expected: columns, found: self.columns.0.len() });
        }
        let indexes = self.uids.read_indexes(records, uids.len(), "uids of records")?;
        let uids_of: Vec<Uid> = indexes.into_iter().map(|index| uids[index]).collect();
        let shapes: Vec<_> = self.shapes.0.iter().map(|shape| shape.read(columns)).collect::<Result<_, _>>()?;
        let shape_of = self.shape_of.read_indexes(records, shapes.len(), "shapes of records")?;
        let mut same_as = self.same_as(&shape_of, uids)?.into_iter();
        let is_merged: Vec<bool> = shape_of.iter().map(|shape| self.shapes.0[*shape] == ShapeV1::Merged).collect();
        let shapes: Vec<_> = shape_of.into_iter().map(|shape| shapes[shape].as_ref()).collect();
        let values = shapes.iter().flatten().map(|(_, columns)| columns.len()).sum();
        budget.take_values(values)?;
        budget.take_values(self.seen_columns.count())?;
        if self.exceptions.count() > values {
            return Err(ChangesError::Exceptions);
        }
        let values = self.read_values(&uids_of, &shapes, uids, budget)?;
        let mut reader = self.reader(&shapes, values, writers)?;
        let records = uids_of.into_iter().zip(shapes).zip(is_merged);
        let records = records
            .map(|((uid, shape), is_merged)| {
                let same_as = if is_merged { same_as.next() } else { None };
                reader.action(shape, same_as).map(|action| RecordChange { uid, action })
            })
            .collect::<Result<_, _>>()?;
        reader.finish()?;
        Ok(TableChanges { table: (&self.description).into(), records })
    }

    /// What each merged record turned out to be.
    fn same_as(&self, shape_of: &[usize], uids: &[Uid]) -> Result<Vec<Uid>, ChangesError> {
        let merged = shape_of.iter().filter(|shape| self.shapes.0[**shape] == ShapeV1::Merged).count();
        let indexes = self.same_as.read_indexes(merged, uids.len(), "merged records")?;
        Ok(indexes.into_iter().map(|index| uids[index]).collect())
    }

    fn read_values(
        &self,
        uids_of: &[Uid],
        shapes: &[Option<&(bool, Vec<u16>)>],
        uids: &[Uid],
        budget: &mut Budget,
    ) -> Result<Vec<std::vec::IntoIter<Value>>, ChangesError> {
        let mut rows: Vec<Vec<Uid>> = vec![Vec::new(); self.columns.0.len()];
        for (uid, shape) in uids_of.iter().zip(shapes) {
            let columns = shape.iter().flat_map(|(_, columns)| columns);
            columns.for_each(|column| rows[usize::from(*column)].push(*uid));
        }
        let columns = self.columns.0.iter().zip(rows);
        columns.map(|(column, rows)| Ok(column.read(&rows, uids, budget)?.into_iter())).collect()
    }

    fn reader(
        &self,
        shapes: &[Option<&(bool, Vec<u16>)>],
        values: Vec<std::vec::IntoIter<Value>>,
        writers: &[Writer],
    ) -> Result<Reader, ChangesError> {
        let columns = self.columns.0.len();
        let deletions = shapes.iter().filter(|shape| shape.is_none()).count();
        let empty = shapes.iter().flatten().filter(|(_, columns)| columns.is_empty()).count();
        let layered = shapes.len() - empty;
        let seen = self.seen.read(deletions, writers)?;
        let seen_columns = self.seen_columns.read(deletions, columns, writers)?;
        let plain = |layer: &Layer| layer.seq == Seq(0) && layer.effective.is_none();
        if !seen.iter().chain(seen_columns.iter().map(|(_, _, layer)| layer)).all(plain) {
            return Err(ChangesError::Exceptions);
        }
        Ok(Reader {
            values,
            layers: self.layers.read(layered, writers)?.into_iter().enumerate(),
            exceptions: self.exceptions.read(layered, columns, writers)?.into_iter().peekable(),
            seen: seen.into_iter().enumerate(),
            seen_columns: seen_columns.into_iter().peekable(),
        })
    }
}

/// The lists of a table, taken from the front record by record.
struct Reader {
    values: Vec<std::vec::IntoIter<Value>>,
    layers: std::iter::Enumerate<std::vec::IntoIter<Layer>>,
    exceptions: std::iter::Peekable<std::vec::IntoIter<Exception>>,
    seen: std::iter::Enumerate<std::vec::IntoIter<Layer>>,
    seen_columns: std::iter::Peekable<std::vec::IntoIter<Exception>>,
}

impl Reader {
    fn action(&mut self, shape: Option<&(bool, Vec<u16>)>, same_as: Option<Uid>) -> Result<Action, ChangesError> {
        match shape {
            None => self.delete(same_as),
            Some((whole, columns)) if columns.is_empty() => Ok(Action::Write { whole: *whole, columns: Vec::new() }),
            Some((whole, columns)) => {
                let (record, row) = self.layers.next().ok_or(ChangesError::Exceptions)?;
                let columns = columns.iter().map(|column| self.column(record, row, *column));
                Ok(Action::Write { whole: *whole, columns: columns.collect::<Result<_, _>>()? })
            }
        }
    }

    fn column(&mut self, record: usize, row: Layer, column: u16) -> Result<ColumnChange, ChangesError> {
        let exception = self.exceptions.next_if(|(of, at, _)| (*of, *at) == (record, column));
        let layer = exception.map_or(row, |(_, _, layer)| layer);
        if exception.is_some() && layer == row {
            return Err(ChangesError::Exceptions);
        }
        let value = self.values[usize::from(column)].next();
        Ok(ColumnChange {
            column,
            value: value.ok_or(ChangesError::Exceptions)?,
            version: layer.version,
            base: layer.base,
            seq: layer.seq,
            effective: layer.effective,
        })
    }

    fn delete(&mut self, same_as: Option<Uid>) -> Result<Action, ChangesError> {
        let (_, layer) = self.layers.next().ok_or(ChangesError::Exceptions)?;
        let (deletion, row) = self.seen.next().ok_or(ChangesError::Exceptions)?;
        if layer.base.is_some() || layer.effective.is_some() {
            return Err(ChangesError::Exceptions);
        }
        let seen = |layer: Layer| Seen { version: layer.version, base: layer.base };
        let mut columns = Vec::new();
        while let Some((_, column, layer)) = self.seen_columns.next_if(|(of, _, _)| *of == deletion) {
            columns.push((column, seen(layer)));
        }
        let seen = SeenVersions { row: seen(row), columns };
        Ok(Action::Delete { version: layer.version, seq: layer.seq, seen, same_as })
    }

    /// Nothing may be left: an exception that no record took was for a column that it does not bring.
    fn finish(mut self) -> Result<(), ChangesError> {
        match self.exceptions.next().or_else(|| self.seen_columns.next()) {
            None => Ok(()),
            Some(_) => Err(ChangesError::Exceptions),
        }
    }
}

/// What is written must be what can be read.
fn check(table: &TableSlice<'_>) -> Result<(), ChangesError> {
    let count = table.table.columns.len();
    if count > COLUMNS_PER_TABLE_MAX {
        return Err(ChangesError::TooMany { what: "columns", limit: COLUMNS_PER_TABLE_MAX });
    }
    for record in table.records {
        let good = match &record.action {
            Action::Write { columns, .. } => rises(columns.iter().map(|column| column.column), count),
            Action::Delete { seen, .. } => rises(seen.columns.iter().map(|(column, _)| *column), count),
        };
        if !good {
            return Err(ChangesError::Columns { table: table.table.name.clone(), uid: record.uid });
        }
    }
    Ok(())
}

fn rises(mut columns: impl Iterator<Item = u16>, count: usize) -> bool {
    let mut next = 0;
    columns.all(|column| {
        let column = usize::from(column);
        let rising = column >= next && column < count;
        next = column + 1;
        rising
    })
}

fn shapes(records: &[RecordChange]) -> (Vec<ShapeV1>, Vec<i64>) {
    let mut known: HashMap<ShapeV1, i64> = HashMap::new();
    let mut shapes = Vec::new();
    let number = |record: &RecordChange| {
        let shape = ShapeV1::of(&record.action);
        let next = shapes.len() as i64;
        let number = *known.entry(shape.clone()).or_insert(next);
        if number == next {
            shapes.push(shape);
        }
        number
    };
    let shape_of = records.iter().map(number).collect();
    (shapes, shape_of)
}

fn values_by_column<'a>(table: &TableSlice<'a>) -> Vec<Vec<(Uid, &'a Value)>> {
    let mut values: Vec<Vec<(Uid, &'a Value)>> = vec![Vec::new(); table.table.columns.len()];
    for record in table.records {
        let Action::Write { columns, .. } = &record.action else { continue };
        columns.iter().for_each(|column| values[usize::from(column.column)].push((record.uid, &column.value)));
    }
    values
}
