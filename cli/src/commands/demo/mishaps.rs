//! What happens to sticks: one is lost, a bundle is copied, a bundle is changed.

use std::io;
use std::path::{Path, PathBuf};

use super::Demo;
use super::narrator::{Detail, as_typed};
use super::places::{HILLTOP, MINISTRY, RIVERSIDE, file_failed};
use super::terminal::{Bundle, Round};
use crate::command_error::CommandError;
use crate::exit_code::Exit;
use crate::layout;

impl Demo<'_, '_> {
    pub(super) fn lose_the_stick(&mut self) -> Result<(), CommandError> {
        self.narrator.chapter("A stick is lost")?;
        let day = self.places.riverside.work_day(self.day(2), 5)?;
        self.narrator.tell(&format!("At {RIVERSIDE}: {day}."))?;
        let lost = self.visit(RIVERSIDE, Exit::Done, Detail::News)?;
        self.places.lose_the_stick()?;
        self.places.buy_a_stick()?;
        let day = self.places.riverside.work_day(self.day(3), 4)?;
        self.narrator.tell(&format!(
            "The stick is lost on its way. At {RIVERSIDE} nobody knows, and work goes on: {day}. Then somebody comes \
             with a new stick."
        ))?;
        let rounds = self.visit_all(&[RIVERSIDE, MINISTRY, HILLTOP], Detail::News)?;
        self.tell_what_was_made_up_for(&lost, &rounds)?;
        self.tell_whether_equal()
    }

    fn tell_what_was_made_up_for(&mut self, lost: &Round, rounds: &[Round]) -> Result<(), CommandError> {
        let next = rounds.first().and_then(|round| round.left_for(MINISTRY));
        let (Some(lost), Some(next)) = (lost.left_for(MINISTRY), next) else {
            return self.narrator.broken("riverside left no bundle for the ministry on both sticks");
        };
        let arrived = rounds
            .get(1)
            .is_some_and(|round| round.came(RIVERSIDE, "applied").iter().any(|bundle| bundle.number == next.number));
        let covers_it = next.after <= lost.after && next.upto >= lost.upto && next.number > lost.number;
        let (gone, came) = (described(lost), described(next));
        self.narrator.promise(
            arrived && covers_it,
            &format!(
                "Lost: {gone}. Arrived: {came}. It begins where the lost one began: nobody had acknowledged that."
            ),
            &format!("{came} does not make up for the lost one, {gone}"),
        )
    }

    pub(super) fn copy_a_bundle(&mut self) -> Result<(), CommandError> {
        self.narrator.chapter("A bundle comes twice")?;
        let day = self.places.hilltop.work_day(self.day(2), 3)?;
        self.narrator.tell(&format!("At {HILLTOP}: {day}."))?;
        let left = self.visit(HILLTOP, Exit::Done, Detail::News)?;
        let Some(bundle) = left.left_for(MINISTRY).cloned() else {
            return self.narrator.broken("hilltop left no bundle for the ministry");
        };
        let original = PathBuf::from(&bundle.file);
        let copy = original.with_file_name("copy.sbag");
        std::fs::copy(&original, &copy).map_err(|error| file_failed(&copy, &error))?;
        self.narrator
            .tell("Somebody copies the bundle on the stick, under another name. It is as good as the first:")?;
        let (node, copy) = (self.places.node(MINISTRY), as_typed(copy));
        self.narrator.command(&["--node", &node, "verify", &copy], Exit::Done, Detail::Whole)?;
        let round = self.visit(MINISTRY, Exit::Done, Detail::Whole)?;
        let count = |result| round.came(HILLTOP, result).iter().filter(|came| came.number == bundle.number).count();
        let (applied, already) = (count("applied"), count("already"));
        let said = format!(
            "{} was applied {}, and was known and changed nothing {}",
            named(&bundle),
            times(applied),
            times(already)
        );
        self.narrator.promise((applied, already) == (1, 1), &format!("{said}."), &said)?;
        self.visit_all(&[RIVERSIDE], Detail::News)?;
        self.tell_whether_equal()
    }

    pub(super) fn change_a_bundle(&mut self) -> Result<(), CommandError> {
        self.narrator.chapter("A bundle is changed on its way")?;
        let day = self.places.hilltop.work_day(self.day(3), 3)?;
        self.narrator.tell(&format!("At {HILLTOP}: {day}."))?;
        let left = self.visit(HILLTOP, Exit::Done, Detail::News)?;
        let Some(bundle) = left.left_for(MINISTRY).cloned() else {
            return self.narrator.broken("hilltop left no bundle for the ministry");
        };
        let at = flip_a_byte(Path::new(&bundle.file))?;
        self.narrator.tell(&format!("Somebody changes one byte of it, byte {at} of {}.", bundle.bytes))?;
        let before = self.places.ministry.checksum()?;
        let refused = self.visit(MINISTRY, Exit::Failed, Detail::News)?;
        self.tell_what_was_refused(&refused, &bundle, &before)?;
        self.narrator
            .tell(&format!("The stick goes back to {HILLTOP}, which leaves the original beside the other:"))?;
        self.visit(HILLTOP, Exit::Done, Detail::News)?;
        let came = self.visit(MINISTRY, Exit::Failed, Detail::News)?;
        let is_applied = came.came(HILLTOP, "applied").iter().any(|came| came.number == bundle.number);
        let again = came.came(HILLTOP, "refused").len();
        let what = named(&bundle);
        self.narrator.promise(
            is_applied,
            &format!("{what} is applied now; what was changed was refused {} more.", times(again)),
            &format!("{what} was not applied"),
        )?;
        self.visit_all(&[RIVERSIDE, HILLTOP], Detail::News)?;
        self.tell_whether_equal()
    }

    fn tell_what_was_refused(&mut self, round: &Round, bundle: &Bundle, before: &str) -> Result<(), CommandError> {
        let after = self.places.ministry.checksum()?;
        let refused = round.came(HILLTOP, "refused");
        if !refused.iter().any(|refused| refused.number == bundle.number && refused.reason.is_some()) {
            return self.narrator.broken("the changed bundle was not refused with a reason");
        }
        let (short_before, short_after) = (&before[..16], &after[..16]);
        self.narrator.promise(
            before == after,
            &format!(
                "The changed bundle was refused, and the {MINISTRY}'s database is what it was: SHA-256 of all its \
                 rows {short_before}… before, {short_after}… after."
            ),
            &format!("the ministry's rows had the SHA-256 {short_before}… before and {short_after}… after"),
        )
    }
}

/// `Bundle 7 of hilltop`
fn named(bundle: &Bundle) -> String {
    format!("Bundle {} of {}", bundle.number.unwrap_or_default(), bundle.from)
}

/// A bundle, and what it covers.
fn described(bundle: &Bundle) -> String {
    let number = bundle.number.unwrap_or_default();
    let (after, upto) = (bundle.after.unwrap_or_default(), bundle.upto.unwrap_or_default());
    let (changes, size) = (layout::count(bundle.records, "change", "changes"), layout::size(bundle.bytes));
    format!("bundle {number} with places {} to {upto} of {}'s feed ({changes}, {size})", after + 1, bundle.from)
}

/// How often something happened.
fn times(count: usize) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        many => format!("{many} times"),
    }
}

/// Changes one byte in the middle of the payload, and says which.
fn flip_a_byte(file: &Path) -> Result<usize, CommandError> {
    use std::io::{Seek as _, SeekFrom, Write as _};
    let failed = |error: io::Error| file_failed(file, &error);
    let bytes = std::fs::read(file).map_err(failed)?;
    let lines: usize = bytes.split_inclusive(|byte| *byte == b'\n').take(3).map(<[u8]>::len).sum();
    let at = lines + (bytes.len() - lines) / 2;
    let Some(byte) = bytes.get(at) else {
        return Err(failed(io::Error::new(io::ErrorKind::UnexpectedEof, "the bundle has no payload")));
    };
    let mut open = std::fs::OpenOptions::new().write(true).open(file).map_err(failed)?;
    open.seek(SeekFrom::Start(at as u64)).and_then(|_| open.write_all(&[byte ^ 1])).map_err(failed)?;
    Ok(at + 1)
}
