//! What became of each bundle of a round, in words or as JSON, and with which status the command ends.

use std::collections::BTreeMap;
use std::path::Path;

use saddlebag_couriers::after_import::{HookReport, HookResult};
use saddlebag_couriers::round::{BundleReport, BundleResult, RoundEvent, RoundReport};
use saddlebag_formats::TimeMs;

use super::clocks::{self, Told};
use super::introduce;
use super::times::second;
use crate::command_error::CommandError;
use crate::console::Console;
use crate::exit_code::Exit;
use crate::layout;

/// Columns of a hook's name before what it says.
const HOOK_COLUMNS: usize = 30;

/// A round that was made.
pub(super) struct Made<'a> {
    /// This node's name.
    pub(super) me: &'a str,
    /// Where, if it was a folder or a stick.
    pub(super) place: Option<&'a Path>,
    /// Whether bundles were to be taken in.
    pub(super) imported: bool,
    /// Whether bundles were to be left.
    pub(super) exported: bool,
    /// What became of them.
    pub(super) report: RoundReport,
}

impl Made<'_> {
    /// Prints the report.
    ///
    /// # Errors
    /// If a bundle was refused: "1 if any bundle for this node was refused, even if others applied".
    pub(super) fn print(&self, json: bool, console: &mut Console<'_>) -> Result<Exit, CommandError> {
        if json {
            console.json(&self.report)?
        } else {
            console.keep_report(&self.report)?;
            self.print_words(console)?;
            if self.report.settled_later > 0 {
                let settled = self.report.settled_later;
                let changes = layout::count(settled, "change that was held is", "changes that were held are");
                console.say(&format!("{changes} applied now: what was entered here since made room."))?;
            }
            introduce::print_entries(&self.report.entries, console)?;
        }
        self.report.hooks.iter().try_for_each(|hook| print_hook(hook, console))?;
        let refused = self.report.bundles.iter().filter(|bundle| bundle.result == BundleResult::Refused).count();
        match refused {
            0 if self.report.any_left_over() => Ok(Exit::Part),
            0 => Ok(Exit::Done),
            _ => {
                let (count, all) = (layout::thousands(refused as u64), self.report.bundles.len());
                let message = format!("{count} of {} failed", layout::count(all as u64, "bundle", "bundles"));
                Err(CommandError::failed(message, None))
            }
        }
    }

    fn print_words(&self, console: &mut Console<'_>) -> Result<(), CommandError> {
        let (goes, came): (Vec<_>, Vec<_>) = self.report.bundles.iter().partition(|bundle| self.is_own(bundle));
        came.iter().try_for_each(|bundle| self.print_bundle(bundle, console))?;
        clocks_of(&came).iter().try_for_each(|remark| console.say(remark))?;
        self.remarks_on_import(came.is_empty()).iter().try_for_each(|remark| console.say(remark))?;
        goes.iter().try_for_each(|bundle| self.print_bundle(bundle, console))?;
        self.remarks_on_export(goes.is_empty()).iter().try_for_each(|remark| console.say(remark))?;
        if let (Some(doubt), Some(clock)) = (self.report.clock_doubt, self.report.clock) {
            console.note(&clocks::own(doubt, clock))?;
        }
        if self.report.is_truncated {
            console.note("there are more files than one round looks at: run it again")?;
        }
        console.say(&self.last_line())
    }

    fn print_bundle(&self, bundle: &BundleReport, console: &mut Console<'_>) -> Result<(), CommandError> {
        console.say(&self.words(bundle))?;
        bundle.hint.as_ref().map_or(Ok(()), |hint| console.say_indented("  ", &format!("hint: {hint}")))
    }

    fn words(&self, bundle: &BundleReport) -> String {
        let (from, to, dry) = (&bundle.from, &bundle.to, self.report.dry_run);
        let number = bundle.number.map_or_else(String::new, |number| number.to_string());
        let reason = bundle.reason.as_deref().unwrap_or("no reason is known");
        match bundle.result {
            BundleResult::Written => {
                let left = if dry { "would leave" } else { "left" };
                format!("{left} bundle {number} for {to}{}", self.contents(bundle))
            }
            BundleResult::Unchanged => {
                format!("bundle {number} for {to} is there already, not acknowledged yet")
            }
            BundleResult::Applied => {
                let received = if dry { "would receive" } else { "received" };
                format!("{received} {} from {from} (bundle {number}){}", changes(bundle.records), troubles(bundle))
            }
            BundleResult::Already => format!("bundle {number} from {from} had been received before: nothing changed"),
            BundleResult::Waiting => {
                let keeps = if dry { "would keep" } else { "keeps" };
                format!("{keeps} bundle {number} from {from} for later: {reason}")
            }
            BundleResult::Refused if self.is_own(bundle) => format!("could not leave a bundle for {to}: {reason}"),
            BundleResult::Refused if bundle.number.is_some() => {
                format!("refused bundle {number} from {from}: {reason}")
            }
            BundleResult::Refused => format!("refused `{}`: {reason}", bundle.file),
        }
    }

    /// `: 230 changes, 4.1 KB`, as far as it is known: what was sealed in an earlier round cannot be counted again,
    /// and how large a bundle will be shows when it is made.
    fn contents(&self, bundle: &BundleReport) -> String {
        let is_counted = bundle.records > 0 || bundle.after == bundle.upto;
        let changes = is_counted.then(|| changes(bundle.records));
        let size = (!self.report.dry_run).then(|| layout::size(bundle.bytes));
        let parts: Vec<_> = changes.into_iter().chain(size).collect();
        if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
    }

    fn is_own(&self, bundle: &BundleReport) -> bool {
        bundle.from == self.me
    }

    fn remarks_on_import(&self, nothing_came: bool) -> Vec<String> {
        let report = &self.report;
        let mut remarks = Vec::new();
        if self.imported && nothing_came {
            remarks.push(format!("there was nothing for {} to receive", self.me));
        }
        if report.foreign > 0 {
            let files = layout::count(report.foreign, "file", "files");
            remarks.push(format!("left {files} alone that {} not for {}", is(report.foreign), self.me));
        }
        remarks
    }

    fn remarks_on_export(&self, nothing_goes: bool) -> Vec<String> {
        let report = &self.report;
        let mut remarks: Vec<_> = report.nothing_for.iter().map(|name| format!("{name} lacks nothing")).collect();
        if self.exported && nothing_goes && remarks.is_empty() {
            remarks.push(format!("{} has no neighbours yet to leave anything for", self.me));
        }
        if !report.removed.is_empty() {
            let count = layout::count(report.removed.len() as u64, "bundle", "bundles");
            remarks.push(format!("took {count} away that nobody needs any more"));
        }
        remarks
    }

    /// Whether the stick may be pulled out: all that was written has been read back by then.
    fn last_line(&self) -> String {
        let failed = |bundle: &BundleReport| bundle.result == BundleResult::Refused && self.is_own(bundle);
        let place = self.place.map(|place| place.display().to_string());
        match place {
            _ if self.report.dry_run => "Nothing was changed: this was a dry run.".to_owned(),
            None => "Nothing was written to where these files lie.".to_owned(),
            Some(place) if self.report.bundles.iter().any(failed) => {
                format!("Not everything could be written to `{place}`; it may be pulled out.")
            }
            Some(place) if self.exported => format!("All is written and read back: `{place}` may be pulled out."),
            Some(place) => format!("Nothing was written: `{place}` may be pulled out."),
        }
    }
}

/// What became of telling a hook, on stderr: a warning, as the import itself is done.
fn print_hook(hook: &HookReport, console: &mut Console<'_>) -> Result<(), CommandError> {
    let name = &hook.hook;
    for line in hook.output.lines() {
        console.labelled(&format!("{}: ", layout::fit(name, HOOK_COLUMNS)), line)?;
    }
    let reason = hook.reason.as_deref().unwrap_or("no reason is known");
    let (what, next) = match hook.result {
        HookResult::Told => return Ok(()),
        HookResult::Failed => ("failed", ". What came is in the database; this is tried again with the next round"),
        HookResult::Waiting => ("has not been told yet", ""),
    };
    console.labelled("warning: ", &format!("the hook `{name}` {what}: {reason}{next}"))
}

/// What is to be said of the clocks of those whose bundles came, by the last bundle of each.
fn clocks_of(came: &[&BundleReport]) -> Vec<String> {
    let mut last: BTreeMap<&str, (TimeMs, i64, bool)> = BTreeMap::new();
    for bundle in came {
        if let (Some(created), Some(ahead_ms)) = (bundle.created, bundle.clock_ahead_ms) {
            last.insert(&bundle.from, (created, ahead_ms, bundle.clock_is_wrong));
        }
    }
    let words = last.into_iter().filter_map(|(peer, (created, ahead_ms, is_wrong))| {
        clocks::neighbour(Told { peer, clock: &second(created), ahead_ms, is_wrong })
    });
    words.collect()
}

fn changes(records: u64) -> String {
    if records == 0 { "no changes".to_owned() } else { layout::count(records, "change", "changes") }
}

/// `; 1 in conflict, 2 parked`
fn troubles(bundle: &BundleReport) -> String {
    let parts = [
        (bundle.conflicts, "in conflict"),
        (bundle.parked, "parked"),
        (bundle.quarantined, "quarantined"),
        (bundle.settled, "held before and applied now"),
    ];
    let told = parts.iter().filter(|(count, _)| *count > 0);
    let told: Vec<_> = told.map(|(count, what)| format!("{} {what}", layout::thousands(*count))).collect();
    if told.is_empty() { String::new() } else { format!("; {}", told.join(", ")) }
}

fn is(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// What is being done, for a line of progress; none when something has ended.
pub(super) fn progress_words(event: &RoundEvent) -> Option<String> {
    match event {
        RoundEvent::Importing { at, of, .. } => Some(format!("taking in bundle {at} of {of}")),
        RoundEvent::Exporting { to } => Some(format!("making bundles for {to}")),
        RoundEvent::Copying { bytes, .. } => Some(format!("writing {} and reading it back", layout::size(*bytes))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(from: &str, to: &str, result: BundleResult) -> BundleReport {
        BundleReport {
            file: "x.sbag".to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            number: Some(5),
            after: Some(0),
            upto: Some(9),
            result,
            reason: None,
            hint: None,
            records: 14,
            bytes: 4_100,
            conflicts: 0,
            parked: 0,
            quarantined: 0,
            settled: 0,
            created: None,
            clock_ahead_ms: None,
            clock_is_wrong: false,
        }
    }

    /// What is printed, and how it ends.
    fn print(bundles: Vec<BundleReport>, dry_run: bool) -> (String, Exit) {
        let report = RoundReport { bundles, dry_run, ..RoundReport::default() };
        let made = Made { me: "clinic-07", place: Some(Path::new("/stick")), imported: true, exported: true, report };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut console = Console::new(&mut out, &mut err);
        let exit = made.print(false, &mut console).unwrap_or_else(|error| error.exit());
        (String::from_utf8(out).unwrap(), exit)
    }

    #[test]
    fn each_bundle_has_a_line_and_the_last_says_whether_the_stick_is_safe() {
        let came = bundle("ministry", "clinic-07", BundleResult::Applied);
        let goes = bundle("clinic-07", "ministry", BundleResult::Written);
        let (text, exit) = print(vec![came.clone(), goes.clone()], false);
        assert!(text.contains("received 14 changes from ministry (bundle 5)\n"));
        assert!(text.contains("left bundle 5 for ministry: 14 changes, 4.1 KB\n"));
        assert!(text.ends_with("`/stick` may be pulled out.\n"));
        assert_eq!(exit, Exit::Done);
        let (text, _) = print(vec![came, goes], true);
        assert!(text.contains("would receive") && text.contains("would leave") && text.contains("Nothing was changed"));
    }

    #[test]
    fn what_was_refused_counts_more_than_what_is_held() {
        let held = BundleReport { parked: 2, conflicts: 1, ..bundle("ministry", "clinic-07", BundleResult::Applied) };
        let (text, exit) = print(vec![held.clone()], false);
        assert!(text.contains("(bundle 5); 1 in conflict, 2 parked\n"));
        assert_eq!(exit, Exit::Part);
        assert_eq!(print(vec![bundle("ministry", "clinic-07", BundleResult::Waiting)], false).1, Exit::Part);
        let refused = BundleReport {
            reason: Some("its\u{1b}[31m signature does not hold".to_owned()),
            hint: Some("ask again".to_owned()),
            ..bundle("ministry", "clinic-07", BundleResult::Refused)
        };
        let (text, exit) = print(vec![held, refused], false);
        assert!(
            text.contains("refused bundle 5 from ministry: its\u{fffd}[31m signature") && text.contains("  hint: ask")
        );
        assert_eq!(exit, Exit::Failed);
    }

    #[test]
    fn a_clock_that_cannot_be_right_is_told() {
        let created = Some(TimeMs(1_795_256_100_000));
        let came = bundle("hilltop", "clinic-07", BundleResult::Applied);
        let ahead = BundleReport { created, clock_ahead_ms: Some(441_797_328_000), ..came.clone() };
        let (text, exit) = print(vec![ahead.clone()], false);
        let text = text.replace('\n', " ");
        assert!(text.contains("the clock of hilltop is 14 years ahead of ours"), "{text}");
        assert_eq!(exit, Exit::Done);
        let right = BundleReport { created, clock_ahead_ms: Some(0), ..came };
        assert!(!print(vec![ahead, right], false).0.contains("the clock of"), "it was set right since");
    }

    #[test]
    fn what_could_not_be_written_is_not_called_safe() {
        let goes = BundleReport { number: None, ..bundle("clinic-07", "ministry", BundleResult::Refused) };
        let (text, exit) = print(vec![goes], false);
        assert!(text.contains("could not leave a bundle for ministry"));
        assert!(text.contains("Not everything could be written") && !text.contains("All is written"));
        assert_eq!(exit, Exit::Failed);
    }
}
