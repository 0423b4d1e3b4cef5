//! From a file's bytes to a verified, opened, decoded bundle. "Reading order": nothing is decrypted, decompressed
//! or decoded before the signature and the payload's size and hash have been checked.

use std::io::BufReader;

use saddlebag_formats::NodeId;
use saddlebag_formats::envelope::Head;
use saddlebag_formats::header::{BundleHeader, KeyId};
use saddlebag_formats::payload::{self, Payload};
use saddlebag_keys::card::Card;
use saddlebag_keys::node_keys::NodeKeys;
use saddlebag_keys::sealing;
use saddlebag_keys::this_node::ThisNode;
use saddlebag_keys::trust::{Peer, Verified, verify_head};
use saddlebag_stores::ledger::Link;

use crate::error::ImportError;

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

    /// Decrypts, decompresses and decodes, and checks that the inside belongs to the outside.
    pub(crate) fn open(&self, keys: &NodeKeys) -> Result<Payload, ImportError> {
        let from = || self.head.sender().name.to_string();
        let plain = sealing::open(self.payload, &keys.sealing)
            .map_err(|source| ImportError::Sealed { from: from(), source })?;
        let payload =
            payload::unpack(BufReader::new(plain)).map_err(|source| ImportError::Contents { from: from(), source })?;
        if !payload.binding.agrees_with(self.header()) {
            return Err(ImportError::OtherContents { from: from() });
        }
        Ok(payload)
    }
}

/// The admitted node with this id.
fn peer(links: &[Link], id: NodeId) -> Option<Peer> {
    let link = links.iter().find(|link| link.peer == id)?;
    Card::parse(&link.card).ok().map(|card| Peer::from(&card))
}
