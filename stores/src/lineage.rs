//! The histories that this node's present one went on from: its database was restored, or copied, and began anew.
//!
//! Invariant: one entry for each earlier epoch, in the order of the epochs.

use saddlebag_formats::members::Anew;
use saddlebag_formats::{Epoch, Seq};

use crate::error::StoreError;
use crate::ledger::Position;
use crate::store::Store;

/// The setting that holds them: a line for each earlier epoch, the epoch, a space, the position.
const SETTING: &str = "lineage";

/// An earlier history, and the position of its feed from which another one went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    /// Its epoch.
    pub epoch: Epoch,
    /// What lies up to here belongs to the later histories too, for all that is known: where the database was put back to,
    /// nobody says, but what a neighbour has applied of both was there.
    pub upto: Seq,
}

/// All earlier histories, oldest first.
///
/// # Errors
/// The engine's, and [`StoreError::Damaged`].
pub fn read(store: &mut dyn Store) -> Result<Vec<Earlier>, StoreError> {
    let damaged = || StoreError::Damaged {
        what: "the node's earlier histories".to_owned(),
        reason: "it is not an epoch and a position".to_owned(),
    };
    let Some(bytes) = store.setting(SETTING)? else { return Ok(Vec::new()) };
    let text = String::from_utf8(bytes).map_err(|_| damaged())?;
    let entry = |line: &str| {
        let (epoch, upto) = line.split_once(' ')?;
        Some(Earlier { epoch: epoch.parse().ok()?, upto: Seq(upto.parse().ok()?) })
    };
    text.lines().map(|line| entry(line).ok_or_else(damaged)).collect()
}

/// Notes that the present history goes on from the one of `earlier.epoch`. Needs a write transaction.
///
/// # Errors
/// As [`read`].
pub fn add(store: &mut dyn Store, earlier: Earlier) -> Result<(), StoreError> {
    let mut known = read(store)?;
    known.push(earlier);
    write(store, &known)
}

/// Notes that a neighbour has applied so much of an earlier history and of what followed. Needs a write transaction.
///
/// # Errors
/// As [`read`].
pub fn raise(store: &mut dyn Store, epoch: Epoch, upto: Seq) -> Result<(), StoreError> {
    let mut known = read(store)?;
    match known.iter_mut().find(|earlier| earlier.epoch == epoch && earlier.upto < upto) {
        Some(earlier) => earlier.upto = upto,
        None => return Ok(()),
    }
    write(store, &known)
}

fn write(store: &mut dyn Store, known: &[Earlier]) -> Result<(), StoreError> {
    let lines: String = known.iter().map(|earlier| format!("{} {}\n", earlier.epoch, earlier.upto)).collect();
    store.set_setting(SETTING, lines.as_bytes())
}

/// Goes on as `now` from the history of `before`: numbers of bundles begin anew, and every other end is told which bundles
/// of the earlier history it may have, and how much of its own feed is here. Needs a write transaction.
///
/// # Errors
/// As [`read`].
pub fn begin_anew(store: &mut dyn Store, before: Epoch, now: Epoch) -> Result<(), StoreError> {
    let links = store.links()?;
    let upto = links.iter().map(|link| link.acknowledged_upto(before)).max().unwrap_or(Seq(0));
    add(store, Earlier { epoch: before, upto })?;
    for mut link in links {
        let acknowledged = link.acknowledged_upto(before);
        let carried = Position::carried(now, acknowledged);
        let known = link.unacknowledged.drain(..).map(|made| (made.number, made.id)).collect();
        // Nobody may have heard of a new beginning before this one.
        let unheard = link.history.anew.take();
        link.history.anew = Some(unheard.unwrap_or(Anew { before, known }));
        link.history.stopped = None;
        link.history.went_on_from = acknowledged;
        (link.acknowledged, link.sent) = (Some(carried), None);
        link.owes_acknowledgement = true;
        store.save_link(&link)?;
    }
    Ok(())
}

/// The latest history of this node: `known`, or one that another end has told of, where its database was put back to one
/// before that. Needs a transaction.
///
/// # Errors
/// The store's.
pub fn latest(store: &mut dyn Store, known: Epoch) -> Result<Epoch, StoreError> {
    let told = store.links()?.into_iter().filter_map(|link| link.history.stopped?.outlived_by).max();
    Ok(told.map_or(known, |told| told.max(known)))
}

/// How much of the feed of an earlier epoch up to `upto` belongs to the present one as well.
#[must_use]
pub fn common(earlier: &[Earlier], epoch: Epoch, upto: Seq) -> Seq {
    match earlier.iter().position(|known| known.epoch == epoch) {
        Some(at) => earlier[at..].iter().map(|known| known.upto).fold(upto, Seq::min),
        None => Seq(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_common_with_an_earlier_history_is_the_least_of_all_that_followed() {
        let earlier = |count, upto| Earlier { epoch: Epoch::new(count, 7), upto: Seq(upto) };
        let all = [earlier(1, 50), earlier(2, 80), earlier(3, 60)];
        assert_eq!(common(&all, Epoch::new(1, 7), Seq(90)), Seq(50));
        assert_eq!(common(&all, Epoch::new(2, 7), Seq(90)), Seq(60));
        assert_eq!(common(&all, Epoch::new(3, 7), Seq(40)), Seq(40));
        assert_eq!(common(&all, Epoch::new(4, 7), Seq(40)), Seq(0), "nobody knows of it");
    }
}
