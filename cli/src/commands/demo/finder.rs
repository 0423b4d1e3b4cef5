//! What somebody learns who finds the stick.

use std::path::{Path, PathBuf};

use super::Demo;
use super::places::file_failed;
use crate::command_error::CommandError;
use crate::layout::{self, WIDTH};

/// What a file sealed with age begins with (age-encryption.org/v1).
const SEALED: &[u8] = b"age-encryption.org/v1";

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
        let bytes = read(bundle)?;
        let mut parts = bytes.splitn(4, |byte| *byte == b'\n');
        let lines: Vec<_> = parts.by_ref().take(3).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        let shown: Vec<_> = lines.iter().map(|line| layout::fit(&format!("    {line}"), WIDTH)).collect();
        self.narrator.show(&shown)?;
        self.tell_what_is_open(lines.get(1).map_or("", String::as_str), parts.next().unwrap_or_default())?;
        self.search(&files)
    }

    /// "`head -n 3 FILE` shows all that a stranger may know."
    fn tell_what_is_open(&mut self, header: &str, payload: &[u8]) -> Result<(), CommandError> {
        let header: serde_json::Map<String, serde_json::Value> = serde_json::from_str(header).unwrap_or_default();
        let names: Vec<_> = header.keys().map(|name| format!("`{name}`")).collect();
        let size = layout::count(payload.len() as u64, "byte", "bytes");
        self.narrator.promise(
            !names.is_empty() && payload.starts_with(SEALED),
            &format!(
                "The second line holds {}: ids of those who write to each other, when, and how much. Below come {size} \
                 that begin with `{}`: sealed for the receiver alone.",
                names.join(", "),
                String::from_utf8_lossy(SEALED)
            ),
            &format!("the header holds {} fields, or the {size} below it are not sealed", names.len()),
        )
    }

    /// Looks for what no finder may know. The same search finds it in the database, or it would prove nothing.
    fn search(&mut self, files: &[PathBuf]) -> Result<(), CommandError> {
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

/// How many of `secrets` stand in a file.
fn found(file: &Path, secrets: &[String]) -> Result<usize, CommandError> {
    let bytes = read(file)?;
    let stands = |secret: &&String| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
    Ok(secrets.iter().filter(stands).count())
}

fn read(file: &Path) -> Result<Vec<u8>, CommandError> {
    std::fs::read(file).map_err(|error| file_failed(file, &error))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_search_finds_what_is_there_wherever_it_stands() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"Oviwe\x00\xff0555 1Ndakuba").unwrap();
        let secrets = ["Oviwe", "Ndakuba", "0555 1", "Kamawe", "0555 2"].map(str::to_owned);
        assert_eq!(found(file.path(), &secrets).unwrap(), 3);
        assert!(found(Path::new("no-such-file"), &secrets).is_err());
    }
}
