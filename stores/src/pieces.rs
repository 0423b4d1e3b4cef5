//! A stretch of the feed in pieces.
//!
//! Invariant: however long the stretch, no more records are held than one piece has.

use std::ops::ControlFlow;

use saddlebag_formats::Seq;

use crate::error::StoreError;

/// Reads so many at a time, each time from where the last ended. What is read must be in the order of its places.
pub(crate) fn in_pieces<T>(
    mut after: Seq,
    chunk: usize,
    place: impl Fn(&T) -> Seq,
    each: &mut dyn FnMut(Vec<T>) -> Result<ControlFlow<()>, StoreError>,
    mut read: impl FnMut(Seq, i64) -> Result<Vec<T>, StoreError>,
) -> Result<(), StoreError> {
    let limit = i64::try_from(chunk.max(2)).unwrap_or(i64::MAX);
    loop {
        let mut piece = read(after, limit)?;
        let is_full = i64::try_from(piece.len()) == Ok(limit);
        if let Some(last) = piece.last().map(&place).filter(|_| is_full) {
            // Each has a place of its own; should several share one, none of them may be passed over.
            let before = piece.partition_point(|one| place(one) < last);
            if before == 0 {
                let reason = format!("more than {limit} records have the place {} in it", last.0);
                return Err(StoreError::Damaged { what: "the feed".to_owned(), reason });
            }
            piece.truncate(before);
            after = Seq(last.0 - 1);
        }
        if piece.is_empty() || each(piece)?.is_break() || !is_full {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of these places in pieces, and how many pieces there were.
    fn pieces(places: &[u64], chunk: usize, stop_after: usize) -> Result<(Vec<u64>, usize), StoreError> {
        let (mut all, mut pieces) = (Vec::new(), 0);
        let mut each = |piece: Vec<u64>| {
            all.extend(piece);
            pieces += 1;
            Ok(if pieces == stop_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        in_pieces(
            Seq(3),
            chunk,
            |place| Seq(*place),
            &mut each,
            |after, limit| {
                let rest = places.iter().copied().filter(|place| *place > after.0);
                Ok(rest.take(usize::try_from(limit).unwrap()).collect())
            },
        )?;
        Ok((all, pieces))
    }

    #[test]
    fn every_record_comes_once_whatever_the_size_of_the_pieces() {
        let places: Vec<u64> = (1..50).map(|n| n * n).collect();
        for chunk in [1, 2, 3, 7, 47, 48, 49, 1_000, usize::MAX] {
            assert_eq!(pieces(&places, chunk, 0).unwrap().0, places[1..], "{chunk}");
        }
        assert_eq!(pieces(&[], 5, 0).unwrap(), (Vec::new(), 0));
        assert_eq!(pieces(&[4, 5, 6, 7, 8, 9], 3, 2).unwrap(), (vec![4, 5, 6, 7], 2));
    }

    #[test]
    fn records_that_share_a_place_are_not_passed_over() {
        assert_eq!(pieces(&[4, 5, 5, 5, 6], 4, 0).unwrap().0, [4, 5, 5, 5, 6]);
        assert_eq!(pieces(&[4, 5, 5, 6], 3, 0).unwrap().0, [4, 5, 5, 6]);
        assert!(pieces(&[4, 4, 4, 5], 3, 0).is_err());
    }
}
