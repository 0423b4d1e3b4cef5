//! Tables that the application has built anew, and whose triggers went with the old ones, when `setup` comes before the
//! next absorb: a migration does so to change a column.

use saddlebag_formats::Writer;
use saddlebag_formats::ambient::Entropy;

use crate::error::StoreError;
use crate::store::{AbsorbContext, Store};
use crate::tracking::Tracking;

/// Takes in what was written while their triggers were gone, as the tables were tracked until now: what is new in them
/// is no edit, and a row that only got a new column is none either. `setup` calls it before it installs `tracking`, in
/// the same write transaction, and [`Store::look_again`] for the tables given back when it has taken in all rows.
/// `anew` are the numbers of tables of which all is to be forgotten.
///
/// # Errors
/// The engine's.
pub fn take_in(
    store: &mut dyn Store,
    tracking: &Tracking,
    anew: &[u32],
    writer: Writer,
    entropy: &mut dyn Entropy,
) -> Result<Vec<u32>, StoreError> {
    let Some(known) = store.installed()? else { return Ok(Vec::new()) };
    store.use_tracking(tracking.as_far_as(&known));
    let mut lost = store.tables_without_triggers()?;
    lost.retain(|number| !anew.contains(number));
    for number in &lost {
        store.recheck(*number)?;
    }
    if !lost.is_empty() {
        let context = AbsorbContext::of(writer, &store.links()?);
        store.absorb(&context, entropy)?;
    }
    store.use_tracking(tracking.clone());
    Ok(lost)
}
