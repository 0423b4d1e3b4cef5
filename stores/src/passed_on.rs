//! Which satellites a district has told of what its own central holds of theirs.
//!
//! What was told once is told again when it is settled; by then the record may have come from elsewhere. Kept among the
//! node's settings: little is held for long.

use std::collections::{BTreeMap, BTreeSet};

use saddlebag_formats::members::Receipt;
use saddlebag_formats::{LinkId, Uid, codec};

use crate::error::StoreError;
use crate::store::Store;

const PASSED_ON: &str = "receipts_passed_on";

/// What a receipt is about: table, record, column.
type About = (String, [u8; 16], Option<String>);

/// Who was told of what, by what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PassedOn(BTreeMap<About, BTreeSet<u32>>);

impl PassedOn {
    /// Reads it.
    ///
    /// # Errors
    /// The database's; [`StoreError::Damaged`] if it cannot be read.
    pub fn read(store: &mut dyn Store) -> Result<Self, StoreError> {
        let Some(bytes) = store.setting(PASSED_ON)? else { return Ok(Self::default()) };
        let known: Vec<(About, BTreeSet<u32>)> = codec::decode(&bytes).map_err(|error| StoreError::Damaged {
            what: "the receipts that were passed on".to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self(known.into_iter().collect()))
    }

    /// Writes it.
    ///
    /// # Errors
    /// The database's.
    pub fn write(&self, store: &mut dyn Store) -> Result<(), StoreError> {
        store.set_setting(PASSED_ON, &codec::encode(&self.0.iter().collect::<Vec<_>>()))
    }

    /// Notes that a link is told.
    pub fn note(&mut self, receipt: &Receipt, link: LinkId) {
        self.0.entry(about(receipt)).or_default().insert(link.0);
    }

    /// Who was told, and need not be remembered any more.
    pub fn settle(&mut self, receipt: &Receipt) -> BTreeSet<LinkId> {
        self.0.remove(&about(receipt)).unwrap_or_default().into_iter().map(LinkId).collect()
    }
}

fn about(receipt: &Receipt) -> About {
    let Uid(uid) = receipt.uid;
    (receipt.table.clone(), uid, receipt.column.clone())
}
