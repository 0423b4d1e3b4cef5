//! References that were kept beside their records go into their columns when their targets appear.

use saddlebag_formats::Seq;

use crate::columns::local_form;
use crate::engine::{Engine, Waiting};
use crate::error::StoreError;

/// Up to where in the feed new records have been looked at.
const PLACED: &str = "placed_upto";

/// Puts references in place whose targets have changed or come since this was last done.
pub(crate) fn targets(store: &mut dyn Engine) -> Result<u64, StoreError> {
    let (after, upto) = (placed(store)?, store.last_seq()?);
    if after == upto {
        return Ok(0);
    }
    let mut count = 0;
    for waiting in store.waiting(after)? {
        count += u64::from(put_in_place(store, &waiting)?);
    }
    store.set_setting(PLACED, &upto.0.to_le_bytes())?;
    Ok(count)
}

fn placed(store: &mut dyn Engine) -> Result<Seq, StoreError> {
    let bytes = store.setting(PLACED)?;
    Ok(Seq(bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)))
}

fn put_in_place(store: &mut dyn Engine, waiting: &Waiting) -> Result<bool, StoreError> {
    let tracking = store.tables();
    let Some(table) = tracking.by_number(waiting.table) else { return Ok(false) };
    let Some(index) = table.index_of_id(waiting.column) else { return Ok(false) };
    let column = &table.columns[index];
    let kept = store.beside_of(table.number, waiting.uid)?;
    let Some(kept) = kept.into_iter().find(|kept| kept.column == waiting.column) else { return Ok(false) };
    let Some(key) = store.keys(table, &[waiting.uid])?.remove(&waiting.uid) else { return Ok(false) };
    let Some(local) = local_form(store, &tracking, column, &kept.value)? else { return Ok(false) };
    // What the application wrote there since is its own business, and absorb's.
    if store.local_value(table, column, &key)? != kept.shown {
        return Ok(false);
    }
    let placed = store.write_column(table, column, &key, &local)?;
    if placed {
        store.forget_beside(table.number, waiting.uid, &[waiting.column])?;
    }
    Ok(placed)
}
