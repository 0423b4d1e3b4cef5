//! Changes that are kept until they can be applied, and the receipts that say so.

use std::collections::HashSet;

use saddlebag_formats::faults::{Fault, is_on};
use saddlebag_formats::members::{Outcome, Receipt};
use saddlebag_formats::members::{decode_change, encode_change};
use saddlebag_formats::row_state_bytes::{decode_values, encode_values};
use saddlebag_formats::{Action, LinkId, Seq, TimeMs, Uid, Value, Version};
use saddlebag_stores::ledger::{Held, HeldKind, StoredReceipt};
use saddlebag_stores::{Store, StoreError};

use crate::error::ImportError;
use crate::incoming::{HeldAs, Incoming};
use crate::logging::{self, HeldEvent};
use crate::merge::Setting;

/// The held changes of a link.
pub(crate) fn load(store: &mut dyn Store, link: LinkId) -> Result<Vec<Incoming>, ImportError> {
    let mut changes = Vec::new();
    for held in store.held(Some(link))? {
        let damaged = |reason: String| ImportError::Damaged { what: "a held change", reason };
        let (table, change) = decode_change(&held.change).map_err(|error| damaged(error.to_string()))?;
        let mut incoming = Incoming::new(&table, change, Seq(0)).ok_or_else(|| damaged("it is empty".to_owned()))?;
        let known = decode_values(&held.known).map_err(|error| damaged(error.to_string()))?;
        let seqs = known.iter().map(|(_, value)| match value {
            Value::Integer(seq) => Seq(seq.cast_unsigned()),
            _ => Seq(0),
        });
        incoming.set_known(&seqs.collect::<Vec<_>>());
        incoming.held_as = Some(HeldAs { told: held.told, uid: held.uid });
        changes.push(incoming);
    }
    Ok(changes)
}

/// What is to be written down of changes: what is held, what is not held any more, and what their sender is told.
#[derive(Default)]
pub(crate) struct Notes {
    held: Vec<Held>,
    let_go: Vec<(String, Uid)>,
    told: Vec<Receipt>,
    events: Vec<(String, Uid, HeldEvent)>,
}

impl Notes {
    /// Writes all of it down. What is held again under its own name is not let go for a moment: people ask since when.
    pub(crate) fn write(self, store: &mut dyn Store, link: LinkId, now: TimeMs) -> Result<(), ImportError> {
        let Self { held, mut let_go, told, events } = self;
        logging::held(store, link, &events, now)?;
        let kept: HashSet<(&str, Uid)> = held.iter().map(|held| (held.table.as_str(), held.uid)).collect();
        let_go.retain(|(table, uid)| !kept.contains(&(table.as_str(), *uid)));
        store.drop_held(link, &let_go)?;
        if !is_on(Fault::HeldDropped) {
            store.save_held(&held)?;
        }
        let told: Vec<StoredReceipt> = told.into_iter().map(|receipt| StoredReceipt { link, receipt }).collect();
        Ok(store.add_receipts(&told)?)
    }

    /// Tells the sender of a record something about it.
    pub(crate) fn tell(&mut self, table: String, uid: Uid, column: Option<String>, outcome: Outcome, reason: &str) {
        self.told.push(Receipt { table, uid, column, outcome, reason: reason.to_owned() });
    }
}

/// Keeps a change, and tells its sender unless it may still apply within this import.
pub(crate) fn keep(
    notes: &mut Notes,
    setting: &Setting,
    incoming: &Incoming,
    (kind, reason): (HeldKind, &str),
    is_last_turn: bool,
    now: TimeMs,
) -> Result<(), ImportError> {
    let link = setting.link;
    let (table, change) = incoming.to_change();
    let change = encode_change(&table, &change)
        .map_err(|error| ImportError::Damaged { what: "a change to be held", reason: error.to_string() })?;
    let (table, uid) = (incoming.table.clone(), incoming.sent_uid());
    let known = incoming.known(setting.acknowledged);
    let known: Vec<_> = (0..).zip(known.iter().map(|seq| Value::Integer(seq.0.cast_signed()))).collect();
    let was = incoming.held_as.as_ref();
    let told_before = was.and_then(|was| was.told.as_deref());
    let told = if is_last_turn { Some(reason) } else { told_before };
    notes.held.push(Held {
        link,
        table: table.clone(),
        uid,
        kind,
        reason: reason.to_owned(),
        change,
        known: encode_values(&known),
        since: now,
        told: told.map(ToOwned::to_owned),
    });
    if let Some(was) = was.filter(|was| was.uid != uid) {
        notes.let_go.push((table.clone(), was.uid));
    }
    // What was told once is repeated until it arrives, and then no more.
    if told != told_before {
        notes.events.push((table.clone(), uid, HeldEvent::Held(kind, reason.to_owned())));
        notes.tell(table, uid, None, outcome(kind), reason);
    }
    Ok(())
}

/// Tells the other end of a link once more what is held of it here: it went back, and may have forgotten.
pub(crate) fn tell_again(store: &mut dyn Store, link: LinkId) -> Result<(), StoreError> {
    let receipt = |held: Held| {
        let Held { table, uid, kind, told, .. } = held;
        let receipt = Receipt { table, uid, column: None, outcome: outcome(kind), reason: told? };
        Some(StoredReceipt { link, receipt })
    };
    let told: Vec<_> = store.held(Some(link))?.into_iter().filter_map(receipt).collect();
    store.add_receipts(&told)
}

/// What is held of a central that went back, and lies beyond what its new history has in common with the one before, is lost
/// there: it goes back once it is applied.
pub(crate) fn lost_above(store: &mut dyn Store, link: LinkId, common: Seq) -> Result<(), ImportError> {
    let damaged = |reason: String| ImportError::Damaged { what: "a held change", reason };
    let mut marked = Vec::new();
    for mut held in store.held(Some(link))? {
        let (table, mut change) = decode_change(&held.change).map_err(|error| damaged(error.to_string()))?;
        let Action::Write { columns, .. } = &mut change.action else { continue };
        columns.iter_mut().filter(|column| column.seq > common).for_each(|column| column.base = Some(Version::YOURS));
        held.change = encode_change(&table, &change).map_err(|error| damaged(error.to_string()))?;
        marked.push(held);
    }
    Ok(store.save_held(&marked)?)
}

fn outcome(kind: HeldKind) -> Outcome {
    match kind {
        HeldKind::Parked => Outcome::Parked,
        HeldKind::Quarantined => Outcome::Quarantined,
    }
}

/// Lets go of a change that is not held any more, and tells its sender.
pub(crate) fn settle(notes: &mut Notes, incoming: &Incoming) {
    let (table, uid) = (incoming.table.clone(), incoming.held_as.as_ref().map_or(incoming.uid, |was| was.uid));
    notes.let_go.push((table.clone(), uid));
    // Who was never told that it was held need not hear that it is not.
    if incoming.held_as.as_ref().is_none_or(|was| was.told.is_some()) {
        notes.events.push((table.clone(), uid, HeldEvent::Settled));
        notes.tell(table, uid, None, Outcome::Settled, "what was held is applied");
    }
}
