//! Writers are named in row states by a small number of this database.

use std::collections::HashMap;

use rusqlite::{Connection, params};
use saddlebag_formats::{Epoch, NodeId, Writer};

use super::engine;
use crate::error::StoreError;

/// The numbers in use, read once a transaction.
#[derive(Debug, Default)]
pub(super) struct Writers {
    loaded: bool,
    by_number: HashMap<u32, Writer>,
    by_writer: HashMap<Writer, u32>,
}

impl Writers {
    /// Forgets what may have been undone.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    fn load(&mut self, connection: &Connection) -> Result<(), StoreError> {
        if self.loaded {
            return Ok(());
        }
        let failed = |error| engine("reading the writers", &error);
        let mut statement =
            connection.prepare_cached("SELECT number, node, epoch FROM saddlebag_writer").map_err(failed)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).map_err(failed)?;
        for row in rows {
            let (number, node, epoch): (u32, [u8; 16], i64) = row.map_err(failed)?;
            self.insert(number, Writer { node: NodeId(node), epoch: Epoch(epoch.cast_unsigned()) });
        }
        self.loaded = true;
        Ok(())
    }

    fn insert(&mut self, number: u32, writer: Writer) {
        self.by_number.insert(number, writer);
        self.by_writer.insert(writer, number);
    }

    /// The number of a writer, a new one if need be.
    pub(super) fn number(&mut self, connection: &Connection, writer: Writer) -> Result<u32, StoreError> {
        self.load(connection)?;
        if let Some(number) = self.by_writer.get(&writer) {
            return Ok(*number);
        }
        let number = self.by_number.keys().max().map_or(0, |last| last + 1);
        connection
            .execute(
                "INSERT INTO saddlebag_writer (number, node, epoch) VALUES (?1, ?2, ?3)",
                params![number, writer.node.0, writer.epoch.0.cast_signed()],
            )
            .map_err(|error| engine("writing a writer", &error))?;
        self.insert(number, writer);
        Ok(number)
    }

    /// Looks up the writer of a number that some row state names.
    pub(super) fn lookup(&mut self, connection: &Connection) -> Result<&HashMap<u32, Writer>, StoreError> {
        self.load(connection)?;
        Ok(&self.by_number)
    }
}
