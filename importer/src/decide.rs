//! What a person does about held changes: try again, let go, or say that two records are one.

use saddlebag_formats::members::Outcome;
use saddlebag_formats::{LinkId, LogKind, Seq, Uid, Version};
use saddlebag_stores::ledger::{Dropped, HELD_TRIED, PeerRole};
use saddlebag_stores::patience::Patience;
use saddlebag_stores::record::Known;
use saddlebag_stores::store::absorb;
use saddlebag_stores::{Access, StoreError};

use crate::apply::Changes;
use crate::error::ImportError;
use crate::holding::{self, Notes};
use crate::import::Importer;
use crate::logging;
use crate::merged::{Merge, Merged};
use crate::plan::state_of_staying;
use crate::tally::Tally;

impl Importer<'_> {
    /// Tries everything again that is held.
    ///
    /// # Errors
    /// The database's; then nothing was changed.
    pub fn retry_held(&mut self) -> Result<Tally, ImportError> {
        self.within(|importer| {
            absorb(importer.store, importer.me.writer(), importer.entropy)?;
            let tally = importer.apply_all_held()?;
            logging::retried(importer.store, &tally, importer.clock.now())?;
            Ok(tally)
        })
    }

    /// Tries everything again that is held, if anything here has changed since that was last tried: an edit, a column that
    /// came with an upgrade. None if nothing is held, or nothing has changed.
    ///
    /// # Errors
    /// The database's; then nothing was changed.
    pub fn retry_held_after_changes(&mut self) -> Result<Option<Tally>, ImportError> {
        self.store.begin(Access::Read)?;
        let is_held = self.is_anything_held();
        self.store.rollback()?;
        if !is_held? {
            return Ok(None);
        }
        self.within(|importer| {
            absorb(importer.store, importer.me.writer(), importer.entropy)?;
            let last = importer.store.last_seq()?;
            if !importer.has_changed_since_held_was_tried(last)? {
                return Ok(None);
            }
            let tally = importer.apply_all_held()?;
            importer.note_held_was_tried()?;
            importer.store.place_targets()?;
            Ok(Some(tally))
        })
    }

    fn is_anything_held(&mut self) -> Result<bool, StoreError> {
        for link in self.store.links()? {
            let counts = self.store.counts(link.id)?;
            if counts.parked + counts.quarantined > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether this node's feed, which ends at `last`, has gone on since everything held was last tried.
    pub(crate) fn has_changed_since_held_was_tried(&mut self, last: Seq) -> Result<bool, StoreError> {
        let tried = self.store.setting(HELD_TRIED)?;
        Ok(tried.as_deref() != Some(last.0.to_le_bytes().as_slice()))
    }

    /// Notes that everything held has been tried against what this node holds now.
    pub(crate) fn note_held_was_tried(&mut self) -> Result<(), StoreError> {
        let last = self.store.last_seq()?;
        self.store.set_setting(HELD_TRIED, &last.0.to_le_bytes())
    }

    /// Lets go of what is held of a record over a link, and keeps the reason.
    ///
    /// # Errors
    /// [`ImportError::NotHeld`], or the database's; then nothing was changed.
    pub fn drop_held(&mut self, link: LinkId, table: &str, uid: Uid, reason: &str) -> Result<(), ImportError> {
        self.within(|importer| {
            let held = importer.store.held(Some(link))?.into_iter().find(|held| held.table == table && held.uid == uid);
            let held = held.ok_or_else(|| ImportError::NotHeld { table: table.to_owned(), uid })?;
            let at = importer.clock.now();
            importer.store.add_dropped(&Dropped {
                link,
                table: held.table,
                uid,
                reason: reason.to_owned(),
                held_because: held.reason,
                change: held.change,
                at,
            })?;
            importer.store.drop_held(link, &[(table.to_owned(), uid)])?;
            let told = format!("what was held was let go by a person: {reason}");
            let mut notes = Notes::default();
            notes.tell(table.to_owned(), uid, None, Outcome::Settled, &told);
            notes.write(importer.store, link, at)?;
            let record = (link, table, uid);
            logging::decided(importer.store, LogKind::DROPPED, record, at, |entry| entry.because(reason))?;
            importer.stand_by(link, table, uid)
        })
    }

    /// Has a central's own record go back to a satellite whose change was let go: both ends agree again.
    fn stand_by(&mut self, id: LinkId, name: &str, uid: Uid) -> Result<(), ImportError> {
        let link = self.store.links()?.into_iter().find(|link| link.id == id);
        let Some(link) = link.filter(|link| link.role == PeerRole::Satellite) else { return Ok(()) };
        let Some(table) = self.store.tracking().by_name(name).cloned() else { return Ok(()) };
        absorb(self.store, self.me.writer(), self.entropy)?;
        let setting = self.setting(&link)?;
        if let Some(Known::Live(mut record)) = self.store.records(&table, &[uid])?.remove(&uid) {
            record.state = state_of_staying(&table, &record.state, &setting, self.store.next_seq()?);
            self.store.save_states(&table, &[record])?;
        }
        Ok(())
    }

    /// Says that a held record is the same as one that stands here, which goes on: what was held is merged into it,
    /// and everybody else is told.
    ///
    /// # Errors
    /// [`ImportError::NotHeld`], [`ImportError::NotThere`], [`ImportError::NotDecidedHere`], or the database's; then
    /// nothing was changed.
    pub fn resolve_same_as(&mut self, link: LinkId, table: &str, uid: Uid, into: Uid) -> Result<Tally, ImportError> {
        self.within(|importer| {
            absorb(importer.store, importer.me.writer(), importer.entropy)?;
            importer.merge_held(link, table, uid, into)
        })
    }

    fn merge_held(&mut self, id: LinkId, name: &str, uid: Uid, into: Uid) -> Result<Tally, ImportError> {
        let not_held = || ImportError::NotHeld { table: name.to_owned(), uid };
        let link = self.store.links()?.into_iter().find(|link| link.id == id).ok_or_else(not_held)?;
        if link.role == PeerRole::Central {
            return Err(ImportError::NotDecidedHere { central: link.name });
        }
        let table = self.store.tracking().by_name(name).cloned().ok_or_else(not_held)?;
        let stands = self.store.keys(&table, &[into])?.contains_key(&into);
        if !stands || uid == into {
            return Err(ImportError::NotThere { table: name.to_owned(), uid: into });
        }
        let held = holding::load(self.store, id)?.into_iter().find(|held| held.table == name && held.uid == uid);
        let mut held = held.ok_or_else(not_held)?;
        let (setting, now) = (self.setting(&link)?, self.clock.now());
        let version = Version::after(None, now, self.me.writer());
        let merge = Merge { table: &table, from: uid, into, version, source: None, seen: None };
        let lost = merge.carry_out(self.store, &setting, now)?;
        self.store.add_conflicts(&lost)?;
        let (record, other) = ((id, name, uid), into.to_string());
        logging::decided(self.store, LogKind::SAME_AS, record, now, |entry| entry.with("into", other))?;
        logging::conflicts(self.store, lost.iter())?;
        let mut notes = Notes::default();
        holding::settle(&mut notes, &held);
        notes.write(self.store, id, now)?;
        held.held_as = None;
        let merged = Merged::load(self.store)?;
        let mut changes = Changes::held(self.store, id, &merged)?;
        changes.add(held, &merged, self.store.tracking());
        let mut tally = self.apply_held(&link, &changes)?;
        tally.settled += 1;
        self.retry_others(&link)?;
        self.store.place_targets()?;
        Ok(tally)
    }

    pub(crate) fn within<T>(&mut self, work: impl Fn(&mut Self) -> Result<T, ImportError>) -> Result<T, ImportError> {
        let mut patience = Patience::default();
        loop {
            self.store.begin(Access::Write)?;
            let done = work(self).and_then(|done| Ok(self.store.commit().map(|()| done)?));
            match done {
                Ok(done) => return Ok(done),
                Err(error) => self.store.rollback().map_err(ImportError::from).and(match error {
                    // The store refuses that row from now on: everything else is tried again without it.
                    ImportError::Store(StoreError::RolledBack { .. }) => Ok(()),
                    ImportError::Store(error) if patience.tries_again(&error) => Ok(()),
                    error => Err(error),
                })?,
            }
        }
    }
}
