//! The table of long runs in `docs/reliability.md`: each line has the totals of all up to it.

use std::path::PathBuf;

use saddlebag_formats::TimeMs;

/// What the table begins with.
const HEAD: &str = "| date | commit | seeds | count | hours | cores | failures | count so far | hours so far |";

/// A long run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongRun {
    /// The day on which it ended: `2026-11-21`.
    pub date: String,
    /// The commit that was run.
    pub commit: String,
    /// Its seeds, in words.
    pub seeds: String,
    /// How many.
    pub count: u64,
    /// How long it took, in hundredths of an hour.
    pub centihours: u64,
    /// On how many cores.
    pub cores: u64,
    /// How many seeds failed.
    pub failures: u64,
}

/// A page whose table cannot be read, or does not add up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the table of long runs: {0}")]
pub struct TableError(String);

/// Where the page is.
#[must_use]
pub fn page() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "docs", "reliability.md"].iter().collect()
}

fn hours(centihours: u64) -> String {
    format!("{}.{:02}", centihours / 100, centihours % 100)
}

fn centihours(text: &str) -> Option<u64> {
    let (hours, hundredths) = text.split_once('.')?;
    (hundredths.len() == 2).then_some(())?;
    Some(hours.parse::<u64>().ok()? * 100 + hundredths.parse::<u64>().ok()?)
}

/// A day by a time: `2026-11-21`.
#[must_use]
pub fn day(time: TimeMs) -> String {
    saddlebag_formats::utc::format(time).chars().take(10).collect()
}

fn line(run: &LongRun, count: u64, total: u64) -> String {
    let LongRun { date, commit, seeds, count: new, centihours, cores, failures } = run;
    let (taken, total) = (hours(*centihours), hours(total));
    format!("| {date} | {commit} | {seeds} | {new} | {taken} | {cores} | {failures} | {count} | {total} |")
}

/// The runs in a page's table, once its totals have been found right.
///
/// # Errors
/// [`TableError`].
pub fn read(page: &str) -> Result<Vec<LongRun>, TableError> {
    let mut lines = page.lines().skip_while(|line| *line != HEAD);
    if lines.next().is_none() || lines.next().is_none() {
        return Err(TableError(format!("it should begin with `{HEAD}`")));
    }
    let (mut runs, mut count, mut total) = (Vec::new(), 0, 0);
    for text in lines.take_while(|line| line.starts_with('|')) {
        let run = run(text).ok_or_else(|| TableError(format!("`{text}` cannot be read")))?;
        count += run.count;
        total += run.centihours;
        if line(&run, count, total) != text {
            return Err(TableError(format!("`{text}` should be `{}`", line(&run, count, total))));
        }
        runs.push(run);
    }
    Ok(runs)
}

fn run(text: &str) -> Option<LongRun> {
    let cells: Vec<&str> = text.trim_matches('|').split('|').map(str::trim).collect();
    let [date, commit, seeds, count, hours, cores, failures, _, _] = cells.as_slice() else { return None };
    Some(LongRun {
        date: (*date).to_owned(),
        commit: (*commit).to_owned(),
        seeds: (*seeds).to_owned(),
        count: count.parse().ok()?,
        centihours: centihours(hours)?,
        cores: cores.parse().ok()?,
        failures: failures.parse().ok()?,
    })
}

/// The page with one more run in its table.
///
/// # Errors
/// [`TableError`].
pub fn with(page: &str, run: &LongRun) -> Result<String, TableError> {
    let runs = read(page)?;
    let count = runs.iter().map(|run| run.count).sum::<u64>() + run.count;
    let total = runs.iter().map(|run| run.centihours).sum::<u64>() + run.centihours;
    let begin = page.find(HEAD).unwrap_or_default();
    let table: usize = page[begin..].split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum();
    let (before, after) = page.split_at(begin + table);
    Ok(format!("{before}{}\n{after}", line(run, count, total)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_added_with_the_totals() {
        let page = format!("# Page\n\n{HEAD}\n| --- |\n\nThe end.\n");
        let run = LongRun {
            date: "2026-11-21".to_owned(),
            commit: "abc".to_owned(),
            seeds: "0..100".to_owned(),
            count: 100,
            centihours: 125,
            cores: 2,
            failures: 0,
        };
        let page = with(&with(&page, &run).unwrap(), &run).unwrap();
        assert!(page.contains("| 0..100 | 100 | 1.25 | 2 | 0 | 200 | 2.50 |\n\nThe end."), "{page}");
        assert_eq!(read(&page).unwrap(), [run.clone(), run]);
        assert!(read(&page.replace("| 200 |", "| 201 |")).is_err());
    }
}
