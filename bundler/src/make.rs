//! One bundle's bytes: members, packed and sealed as they come, then signed.

use saddlebag_formats::ambient::Entropy;
use saddlebag_formats::envelope::{signature_line, signed_lines};
use saddlebag_formats::header::{Acknowledgement, BundleHeader};
use saddlebag_formats::members::anew::IdPrefix;
use saddlebag_formats::members::{Anew, Binding, Common, Digests, Entry, EntryRefusal, Health, Receipt};
use saddlebag_formats::payload::{Levels, PayloadError, PayloadWriter};
use saddlebag_formats::payload_binding::PayloadBinding;
use saddlebag_formats::{BundleId, BundleNumber, Seq, TableChanges, TimeMs, limits};
use saddlebag_keys::node_keys::NodeKeys;
use saddlebag_keys::sealing::{SealError, Sealer};
use saddlebag_keys::this_node::ThisNode;
use saddlebag_keys::trust::Peer;

/// "zstd-3 costs nothing (17 M rows/s), zstd-19 139 k rows/s: for small bundles only".
const LEVELS: Levels = Levels { small: 19, large: 3 };

/// What one bundle is to say, but its changes.
pub(crate) struct Contents {
    pub(crate) number: BundleNumber,
    pub(crate) after: Seq,
    pub(crate) upto: Seq,
    pub(crate) ack: Option<Acknowledgement>,
    pub(crate) created: TimeMs,
    pub(crate) nodes_known: u64,
    pub(crate) nodes: Option<Vec<u8>>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) refused_entries: Vec<EntryRefusal>,
    pub(crate) health: Health,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) trail: Vec<IdPrefix>,
    pub(crate) anew: Option<Anew>,
    pub(crate) common: Option<Common>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum MakeError {
    #[error(transparent)]
    Payload(#[from] PayloadError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("it has more than the {limit} records that it should have")]
    Many { limit: usize },
    #[error("its payload has {bytes} bytes, more than the {} that a bundle holds", limits::PAYLOAD_BYTES_MAX)]
    Large { bytes: u64 },
}

impl MakeError {
    /// Whether a bundle with fewer records could be made.
    pub(crate) fn is_too_much(&self) -> bool {
        match self {
            Self::Many { .. } | Self::Large { .. } => true,
            Self::Payload(error) => matches!(error, PayloadError::TooMany { .. } | PayloadError::Unpacked { .. }),
            Self::Seal(_) => false,
        }
    }

    /// In words, with what caused it.
    pub(crate) fn in_words(&self) -> String {
        let mut words = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            words.push_str(": ");
            words.push_str(&cause.to_string());
            source = cause.source();
        }
        words
    }
}

/// A bundle that is being made.
pub(crate) struct BundleWriter {
    /// Its header, but what is only known of the whole payload.
    header: BundleHeader,
    payload: PayloadWriter<Sealer<Vec<u8>>>,
}

/// A bundle: header, signed lines, sealed payload.
pub(crate) struct Bundle {
    pub(crate) header: BundleHeader,
    pub(crate) head: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

impl BundleWriter {
    /// Begins a bundle for `peer`.
    pub(crate) fn new(
        me: &ThisNode,
        keys: &NodeKeys,
        peer: &Peer,
        contents: Contents,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, MakeError> {
        let Contents { number, after, upto, ack, created, nodes_known, nodes, health, receipts, .. } = contents;
        let header = BundleHeader {
            deployment: me.deployment,
            id: BundleId(entropy.uuid_v4()),
            from: me.id,
            key: keys.signing.key_id(),
            to: peer.id,
            epoch: me.epoch,
            number,
            after,
            upto,
            ack,
            created: TimeMs(created.0.div_euclid(1_000) * 1_000),
            payload: PayloadBinding::of(&[]),
        };
        let Contents { trail, anew, common, entries, refused_entries, .. } = contents;
        let extra = Binding::of(&header, nodes_known, nodes);
        let binding = Binding { trail, anew, common, entries, refused_entries, ..extra };
        let sealer = Sealer::new(Vec::new(), std::slice::from_ref(&peer.sealing))?;
        let payload = PayloadWriter::new(&binding, &health, &receipts, LEVELS, sealer)?;
        Ok(Self { header, payload })
    }

    /// Adds changes; the bundle should have no more than `limit` records.
    pub(crate) fn add(&mut self, changes: TableChanges, limit: usize) -> Result<(), MakeError> {
        if self.payload.records() + changes.records.len() > limit {
            return Err(MakeError::Many { limit });
        }
        Ok(self.payload.changes(vec![changes])?)
    }

    /// Says what there is to compare.
    pub(crate) fn digests(&mut self, digests: Digests) {
        self.payload.digests(digests);
    }

    /// How many records were added.
    pub(crate) fn records(&self) -> u64 {
        self.payload.records() as u64
    }

    /// Seals the end, and signs.
    pub(crate) fn finish(self, keys: &NodeKeys) -> Result<Bundle, MakeError> {
        let payload = self.payload.finish()?.finish()?;
        let bytes = payload.len() as u64;
        if bytes > limits::PAYLOAD_BYTES_MAX {
            return Err(MakeError::Large { bytes });
        }
        let header = BundleHeader { payload: PayloadBinding::of(&payload), ..self.header };
        let mut head = signed_lines(&header);
        let signature = keys.signing.sign(&head);
        head.extend_from_slice(signature_line(&signature).as_bytes());
        Ok(Bundle { header, head, payload })
    }
}
