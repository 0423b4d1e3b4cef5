//! Writers are named in row states by a small number of this database.

use std::collections::HashMap;

use saddlebag_formats::{Epoch, NodeId, Writer};
use uuid::Uuid;

use super::client::Client;
use super::fields::field;
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

    fn load(&mut self, client: &mut Client) -> Result<(), StoreError> {
        if self.loaded {
            return Ok(());
        }
        let action = "reading the writers";
        for row in client.query(action, "SELECT number, node, epoch FROM saddlebag.writer", &[])? {
            let number: i32 = field(action, &row, 0)?;
            let node: Uuid = field(action, &row, 1)?;
            let epoch: i64 = field(action, &row, 2)?;
            let writer = Writer { node: NodeId(node.into_bytes()), epoch: Epoch(epoch.cast_unsigned()) };
            self.insert(number.cast_unsigned(), writer);
        }
        self.loaded = true;
        Ok(())
    }

    fn insert(&mut self, number: u32, writer: Writer) {
        self.by_number.insert(number, writer);
        self.by_writer.insert(writer, number);
    }

    /// The number of a writer, a new one if need be.
    pub(super) fn number(&mut self, client: &mut Client, writer: Writer) -> Result<u32, StoreError> {
        self.load(client)?;
        if let Some(number) = self.by_writer.get(&writer) {
            return Ok(*number);
        }
        let number = self.by_number.keys().max().map_or(0, |last| last + 1);
        let sql = "INSERT INTO saddlebag.writer (number, node, epoch) VALUES ($1, $2, $3)";
        let (node, epoch) = (Uuid::from_bytes(writer.node.0), writer.epoch.0.cast_signed());
        client.execute("writing a writer", sql, &[&number.cast_signed(), &node, &epoch])?;
        self.insert(number, writer);
        Ok(number)
    }

    /// Looks up the writer of a number that some row state names.
    pub(super) fn lookup(&mut self, client: &mut Client) -> Result<&HashMap<u32, Writer>, StoreError> {
        self.load(client)?;
        Ok(&self.by_number)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn a_writer_keeps_its_number() {
        let Some(mut client) = testing::own_tables("a_writer_keeps_its_number") else { return };
        let writer = |node: u8, epoch| Writer { node: NodeId([node; 16]), epoch: Epoch(epoch) };
        let all = [writer(1, 1), writer(1, u64::MAX), writer(2, 1)];
        let mut writers = Writers::default();
        let given = all.map(|writer| writers.number(&mut client, writer).unwrap());
        assert_eq!(given, [0, 1, 2]);
        let sent = client.sent();
        assert_eq!(all.map(|writer| writers.number(&mut client, writer).unwrap()), given);
        assert_eq!(client.sent(), sent, "known numbers are not asked for again");
        writers.forget();
        assert_eq!(all.map(|writer| writers.number(&mut client, writer).unwrap()), given);
        assert_eq!(writers.lookup(&mut client).unwrap()[&1], all[1]);
    }
}
