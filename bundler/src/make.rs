//! One bundle's bytes: members, packed, sealed, signed.

use saddlebag_formats::ambient::Entropy;
use saddlebag_formats::envelope::{signature_line, signed_lines};
use saddlebag_formats::header::{Acknowledgement, BundleHeader};
use saddlebag_formats::members::{Binding, Health, Receipt};
use saddlebag_formats::payload::{self, Payload, PayloadError};
use saddlebag_formats::payload_binding::PayloadBinding;
use saddlebag_formats::{BundleId, BundleNumber, Seq, TableChanges, TimeMs};
use saddlebag_keys::node_keys::NodeKeys;
use saddlebag_keys::sealing::{self, SealError};
use saddlebag_keys::this_node::ThisNode;
use saddlebag_keys::trust::Peer;

/// Above this many records zstd works at its quick level: "zstd-19 139 k rows/s: for small bundles only".
const SMALL_BUNDLE_RECORDS: usize = 20_000;
const LEVEL_SMALL: i32 = 19;
const LEVEL_LARGE: i32 = 3;

/// What one bundle is to say.
pub(crate) struct Contents {
    pub(crate) number: BundleNumber,
    pub(crate) after: Seq,
    pub(crate) upto: Seq,
    pub(crate) ack: Option<Acknowledgement>,
    pub(crate) created: TimeMs,
    pub(crate) nodes_known: u64,
    pub(crate) nodes: Option<Vec<u8>>,
    pub(crate) health: Health,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) changes: Vec<TableChanges>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum MakeError {
    #[error(transparent)]
    Payload(#[from] PayloadError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// How many records are in these changes.
pub(crate) fn count(changes: &[TableChanges]) -> usize {
    changes.iter().map(|table| table.records.len()).sum()
}

/// The bytes of a bundle, and its header.
pub(crate) fn bundle(
    me: &ThisNode,
    keys: &NodeKeys,
    peer: &Peer,
    contents: Contents,
    entropy: &mut dyn Entropy,
) -> Result<(BundleHeader, Vec<u8>), MakeError> {
    let id = BundleId(entropy.uuid_v4());
    let level = if count(&contents.changes) <= SMALL_BUNDLE_RECORDS { LEVEL_SMALL } else { LEVEL_LARGE };
    let Contents { number, after, upto, ack, created, nodes_known, nodes, health, receipts, changes } = contents;
    let binding = Binding {
        deployment: me.deployment,
        id,
        from: me.id,
        to: peer.id,
        epoch: me.epoch,
        number,
        after,
        upto,
        nodes_known,
        nodes,
    };
    let plain = payload::pack(&Payload { binding, health, receipts, changes }, level)?;
    let sealed = sealing::seal(&plain, std::slice::from_ref(&peer.sealing))?;
    let header = BundleHeader {
        deployment: me.deployment,
        id,
        from: me.id,
        key: keys.signing.key_id(),
        to: peer.id,
        epoch: me.epoch,
        number,
        after,
        upto,
        ack,
        created: TimeMs(created.0.div_euclid(1_000) * 1_000),
        payload: PayloadBinding::of(&sealed),
    };
    let mut bytes = signed_lines(&header);
    let signature = keys.signing.sign(&bytes);
    bytes.extend_from_slice(signature_line(&signature).as_bytes());
    bytes.extend_from_slice(&sealed);
    Ok((header, bytes))
}
