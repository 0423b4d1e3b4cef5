//! What somebody learns who finds the stick.

use std::path::Path;

use super::Demo;
use super::places::file_failed;
use crate::command_error::CommandError;
use crate::layout::{self, WIDTH};

impl Demo<'_, '_> {
    pub(super) fn look_as_a_finder(&mut self) -> Result<(), CommandError> {
        self.narrator.chapter("What a finder of the stick can read")?;
        let files = self.places.files_on_the_stick()?;
        let bundles: Vec<_> = files.iter().filter(|file| file.extension().is_some_and(|end| end == "sbag")).collect();
        let Some(bundle) = bundles.last() else {
            return self.narrator.broken("no bundle lies on the stick");
        };
        let name = bundle.file_name().unwrap_or_default().to_string_lossy();
        let count = layout::count(bundles.len() as u64, "bundle lies", "bundles lie");
        self.narrator.tell(&format!("{count} on the stick. The first three lines of `{name}`:"))?;
        for line in first_lines(bundle)? {
            self.narrator.show(&layout::fit(&format!("    {line}"), WIDTH))?;
        }
        self.narrator.tell("Who wrote to whom and when; the rest is sealed for the receiver.")?;
        self.search(&files)
    }

    /// Looks for what no finder may know. The same search finds it in the database, or it would prove nothing.
    fn search(&mut self, files: &[std::path::PathBuf]) -> Result<(), CommandError> {
        let patients = self.places.ministry.patients()?;
        let names = patients.iter().filter_map(|patient| patient.name.split(' ').next_back().map(str::to_owned));
        let phones = patients.iter().filter_map(|patient| patient.phone.clone());
        let secrets: Vec<String> = names.chain(phones).collect();
        let on_the_stick = files.iter().map(|file| found(file, &secrets)).sum::<Result<usize, _>>()?;
        let in_the_database = found(&self.places.ministry.database, &secrets)?;
        let searched = layout::count(files.len() as u64, "file", "files");
        let what = format!(
            "the family names and telephone numbers of {}",
            layout::count(patients.len() as u64, "patient", "patients")
        );
        self.narrator.promise(
            on_the_stick == 0 && in_the_database > 0,
            &format!(
                "A search through {searched} on the stick for {what} finds {on_the_stick} of {}; the same search in \
                 the {}'s database finds {in_the_database}.",
                secrets.len(),
                self.places.ministry.name
            ),
            &format!("a search for {what} finds {on_the_stick} on the stick and {in_the_database} in the database"),
        )
    }
}

/// The first three lines.
fn first_lines(file: &Path) -> Result<Vec<String>, CommandError> {
    let bytes = read(file)?;
    let lines = bytes.split(|byte| *byte == b'\n').take(3);
    Ok(lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect())
}

/// How many of `secrets` stand in a file.
fn found(file: &Path, secrets: &[String]) -> Result<usize, CommandError> {
    let bytes = read(file)?;
    let stands = |secret: &&String| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
    Ok(secrets.iter().filter(stands).count())
}

fn read(file: &Path) -> Result<Vec<u8>, CommandError> {
    std::fs::read(file).map_err(|error| file_failed(file, &error))
}
