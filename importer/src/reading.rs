//! From a file's bytes to a verified, opened, decoded bundle. "Reading order": nothing is decrypted, decompressed
//! or decoded before the signature and the payload's size and hash have been checked.

use std::io::{BufReader, Read};

use saddlebag_formats::PayloadReader;
use saddlebag_formats::envelope::Head;
use saddlebag_formats::header::{BundleHeader, KeyId};
use saddlebag_formats::members::{Binding, Digests, Health, Receipt};
use saddlebag_formats::payload::PayloadError;
use saddlebag_formats::{NodeId, TableChanges, Uid};
use saddlebag_keys::card::Card;
use saddlebag_keys::node_keys::NodeKeys;
use saddlebag_keys::sealing;
use saddlebag_keys::this_node::ThisNode;
use saddlebag_keys::trust::{Peer, Verified, verify_head};
use saddlebag_stores::ledger::Link;

use crate::error::ImportError;
use crate::merged::{Announced, Merged};

/// A bundle whose sender, receiver and bytes are right.
pub(crate) struct Signed<'a> {
    pub(crate) head: Verified<Head>,
    payload: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Checks everything that can be checked without a secret.
    pub(crate) fn check(file: &'a [u8], me: &ThisNode, links: &[Link]) -> Result<Self, ImportError> {
        let mut rest = file;
        let head = Head::read(&mut rest)?;
        let head = verify_head(head, me.deployment, Some(me.id), |id, _: KeyId| peer(links, id))?;
        head.get()
            .header
            .payload
            .check(rest)
            .map_err(|source| ImportError::Payload { from: head.sender().name.to_string(), source })?;
        Ok(Self { head, payload: rest })
    }

    pub(crate) fn header(&self) -> &BundleHeader {
        &self.head.get().header
    }

    /// Decrypts, decompresses and decodes everything, and checks that the inside belongs to the outside.
    /// More than `records_at_once` records are not held.
    pub(crate) fn open(&'a self, keys: &'a NodeKeys, records_at_once: usize) -> Result<Opened<'a>, ImportError> {
        let mut reader = self.reader(keys)?;
        if !reader.binding().agrees_with(self.header()) {
            return Err(ImportError::OtherContents { from: self.from() });
        }
        let (binding, health) = (reader.binding().clone(), reader.health().clone());
        let (receipts, mut merges) = (reader.take_receipts(), Vec::new());
        let (mut kept, mut is_large) = (Vec::new(), false);
        let mut records: Vec<(String, Vec<Uid>)> = Vec::new();
        while let Some(tables) = reader.next_changes().map_err(|source| self.contents(source))? {
            merges.extend(Merged::announced(&tables));
            for table in &tables {
                records.push((table.table.name.clone(), table.records.iter().map(|record| record.uid).collect()));
            }
            is_large |= reader.counts().records > records_at_once;
            kept.push(tables);
            if is_large {
                kept.clear();
            }
        }
        let digests = reader.take_digests();
        let has_changes = reader.finish().map_err(|source| self.contents(source))?.records > 0;
        let changes = if is_large { Members::Again(self, keys) } else { Members::Decoded(kept) };
        Ok(Opened { binding, health, receipts, merges, digests, records, has_changes, changes })
    }

    fn reader(&self, keys: &NodeKeys) -> Result<PayloadReader<BufReader<impl Read + use<'a>>>, ImportError> {
        let plain = sealing::open(self.payload, &keys.sealing)
            .map_err(|source| ImportError::Sealed { from: self.from(), source })?;
        PayloadReader::new(BufReader::new(plain)).map_err(|source| self.contents(source))
    }

    fn contents(&self, source: PayloadError) -> ImportError {
        ImportError::Contents { from: self.from(), source }
    }

    fn from(&self) -> String {
        self.head.sender().name.to_string()
    }
}

/// A bundle that was read to its end, and found right.
pub(crate) struct Opened<'a> {
    pub(crate) binding: Binding,
    pub(crate) health: Health,
    pub(crate) receipts: Vec<Receipt>,
    /// Records that turned out to be others.
    pub(crate) merges: Vec<Announced>,
    /// What there is to compare.
    pub(crate) digests: Digests,
    /// The records that it brings changes of, by table.
    pub(crate) records: Vec<(String, Vec<Uid>)>,
    pub(crate) has_changes: bool,
    changes: Members<'a>,
}

enum Members<'a> {
    Decoded(Vec<Vec<TableChanges>>),
    /// Too many to be held.
    Again(&'a Signed<'a>, &'a NodeKeys),
}

impl Opened<'_> {
    /// Whether its changes are too many to be held together.
    pub(crate) fn is_large(&self) -> bool {
        matches!(self.changes, Members::Again(..))
    }

    /// Whether it says more than what has arrived and how its sender does.
    pub(crate) fn has_contents(&self) -> bool {
        let Digests { finer, wanted, .. } = &self.digests;
        let Binding { nodes, entries, refused_entries, .. } = &self.binding;
        self.has_changes
            || finer.is_some()
            || !wanted.is_empty()
            || !self.receipts.is_empty()
            || nodes.is_some()
            || !entries.is_empty()
            || !refused_entries.is_empty()
    }

    /// Gives the changes member by member.
    pub(crate) fn each(
        &mut self,
        take: &mut dyn FnMut(Vec<TableChanges>) -> Result<(), ImportError>,
    ) -> Result<(), ImportError> {
        match &mut self.changes {
            Members::Decoded(members) => std::mem::take(members).into_iter().try_for_each(take),
            Members::Again(signed, keys) => {
                let mut reader = signed.reader(keys)?;
                while let Some(tables) = reader.next_changes().map_err(|source| signed.contents(source))? {
                    take(tables)?;
                }
                Ok(())
            }
        }
    }
}

/// The admitted node with this id.
fn peer(links: &[Link], id: NodeId) -> Option<Peer> {
    let link = links.iter().find(|link| link.peer == id)?;
    Card::parse(&link.card).ok().map(|card| Peer::from(&card))
}
