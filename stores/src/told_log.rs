//! How far a neighbour's log went when it last told: a log that is shorter later, within one epoch, has lost its end.

use saddlebag_formats::{Epoch, LinkId, TimeMs, ToldLog};

use crate::engine::damaged;
use crate::error::StoreError;
use crate::store::Store;

/// What a neighbour told of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// In which of its epochs.
    pub epoch: Epoch,
    /// How far it goes; none if it is empty.
    pub log: Option<ToldLog>,
    /// That it did not go on from what was told before, the last time that this was so in this epoch.
    pub shortened: Option<Shortened>,
}

/// A log that ended before the place that had been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortened {
    /// The number of the last entry as it was told before.
    pub before: u64,
    /// The number as it was told then; the same one where the entry is another.
    pub then: u64,
    /// When that was noticed, by this node's clock.
    pub at: TimeMs,
}

impl Told {
    /// What is known after a neighbour told something, and whether that shows that its log has lost its end.
    fn after(known: Option<Self>, epoch: Epoch, log: Option<ToldLog>, at: TimeMs) -> (Self, Option<Shortened>) {
        let known = known.filter(|known| known.epoch == epoch);
        let before = known.and_then(|known| known.log);
        let number = |log: Option<ToldLog>| log.map_or(0, |log| log.number);
        let is_other = number(log) < number(before) || (number(log) == number(before) && log != before);
        let noticed = is_other.then(|| Shortened { before: number(before), then: number(log), at });
        (Self { epoch, log, shortened: noticed.or(known.and_then(|known| known.shortened)) }, noticed)
    }

    fn to_bytes(self) -> Vec<u8> {
        let log = self.log.unwrap_or(ToldLog { number: 0, hash: [0; 16] });
        let mut bytes = [self.epoch.0.to_le_bytes().as_slice(), &log.number.to_le_bytes(), &log.hash].concat();
        if let Some(Shortened { before, then, at }) = self.shortened {
            for number in [before, then, at.0.cast_unsigned()] {
                bytes.extend(number.to_le_bytes());
            }
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let hash = bytes.get(16..32)?.try_into().ok()?;
        let log = Some(ToldLog { number: number(8)?, hash }).filter(|log| log.number > 0);
        let shortened = match bytes.len() {
            32 => None,
            56 => Some(Shortened { before: number(32)?, then: number(40)?, at: TimeMs(number(48)?.cast_signed()) }),
            _ => return None,
        };
        Some(Self { epoch: Epoch(number(0)?), log, shortened })
    }
}

fn setting(link: LinkId) -> String {
    format!("told_log_{link}")
}

/// What a neighbour last told; none if it has not told anything yet.
///
/// # Errors
/// The engine's.
pub fn read(store: &mut dyn Store, link: LinkId) -> Result<Option<Told>, StoreError> {
    let Some(bytes) = store.setting(&setting(link))? else { return Ok(None) };
    let told = Told::from_bytes(&bytes);
    told.map(Some).ok_or_else(|| damaged("what a neighbour told of its log", "it is not of the right length"))
}

/// Notes what a neighbour tells, and says whether its log has lost its end. Needs a write transaction.
///
/// # Errors
/// The engine's.
pub fn note(
    store: &mut dyn Store,
    link: LinkId,
    epoch: Epoch,
    log: Option<ToldLog>,
    now: TimeMs,
) -> Result<Option<Shortened>, StoreError> {
    let (told, noticed) = Told::after(read(store, link)?, epoch, log, now);
    store.set_setting(&setting(link), &told.to_bytes())?;
    Ok(noticed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(number: u64, hash: u8) -> Option<ToldLog> {
        Some(ToldLog { number, hash: [hash; 16] })
    }

    #[test]
    fn a_log_that_ends_earlier_is_noticed_once_and_remembered_for_its_epoch() {
        let at = TimeMs(5);
        let after = |known, epoch, log| Told::after(known, Epoch(epoch), log, at);
        let (first, noticed) = after(None, 1, log(40, 1));
        assert_eq!(noticed, None);
        assert_eq!(after(Some(first), 1, log(40, 1)).1, None, "told again");
        assert_eq!(after(Some(first), 1, log(41, 2)).1, None);
        assert_eq!(after(Some(first), 2, log(3, 2)).1, None, "another history");
        let (shorter, noticed) = after(Some(first), 1, log(12, 3));
        assert_eq!(noticed, Some(Shortened { before: 40, then: 12, at }));
        let (later, noticed_again) = after(Some(shorter), 1, log(60, 4));
        assert_eq!((later.shortened, noticed_again), (noticed, None));
        assert_eq!(after(Some(later), 2, log(1, 1)).0.shortened, None);
        assert_eq!(after(Some(first), 1, log(40, 9)).1, Some(Shortened { before: 40, then: 40, at }), "another entry");
        assert_eq!(after(Some(first), 1, None).1, Some(Shortened { before: 40, then: 0, at }));
        assert_eq!(after(Some(after(None, 1, None).0), 1, None).1, None);
    }

    #[test]
    fn it_comes_back_from_its_bytes() {
        let shortened = Some(Shortened { before: 40, then: 12, at: TimeMs(-1) });
        for told in [
            Told { epoch: Epoch(u64::MAX), log: log(40, 1), shortened: None },
            Told { epoch: Epoch(1), log: None, shortened },
        ] {
            assert_eq!(Told::from_bytes(&told.to_bytes()), Some(told));
        }
        for length in [0, 31, 33, 57] {
            assert_eq!(Told::from_bytes(&vec![1; length]), None);
        }
    }
}
