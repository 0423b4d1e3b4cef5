//! Where the demo is played. Invariant: never where something lies already.

use std::io;
use std::path::{Path, PathBuf};

use crate::command_error::CommandError;

const DEFAULT: &str = "demo";

/// How many earlier demos may lie in the current folder.
const DEFAULTS_MAX: u32 = 100;

/// Makes the folder that was asked for, or the first `demo`, `demo-2`, … that is free.
///
/// # Errors
/// If the folder that was asked for holds something, or none can be made.
pub(super) fn choose(asked: Option<&Path>) -> Result<PathBuf, CommandError> {
    let Some(folder) = asked else { return first_free(Path::new("")) };
    if !is_free(folder).map_err(|error| unusable(folder, &error))? {
        return Err(CommandError::failed(
            format!("`{}` is there already and not an empty folder; nothing was changed", folder.display()),
            Some("name a folder that does not exist yet"),
        ));
    }
    make(folder)
}

fn first_free(within: &Path) -> Result<PathBuf, CommandError> {
    let name = |at| if at == 1 { DEFAULT.to_owned() } else { format!("{DEFAULT}-{at}") };
    for folder in (1..=DEFAULTS_MAX).map(|at| within.join(name(at))) {
        if is_free(&folder).map_err(|error| unusable(&folder, &error))? {
            return make(&folder);
        }
    }
    let message = format!("there are {DEFAULTS_MAX} folders of earlier demos here");
    Err(CommandError::failed(message, Some("remove them, or name another folder: `saddlebag demo FOLDER`")))
}

fn is_free(folder: &Path) -> io::Result<bool> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(error),
    }
}

fn make(folder: &Path) -> Result<PathBuf, CommandError> {
    std::fs::create_dir_all(folder).map_err(|error| unusable(folder, &error))?;
    Ok(folder.to_owned())
}

fn unusable(folder: &Path, error: &io::Error) -> CommandError {
    let message = format!("the folder `{}` cannot be used: {error}", folder.display());
    CommandError::failed(message, Some("name a folder that you may write to: `saddlebag demo FOLDER`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_left_alone() {
        let here = tempfile::tempdir().unwrap();
        let free = here.path().join("a/b");
        assert_eq!(choose(Some(&free)).unwrap(), free);
        assert_eq!(choose(Some(&free)).unwrap(), free, "an empty folder will do");
        let error = choose(Some(here.path())).unwrap_err();
        assert!(error.to_string().contains("is there already") && error.hint().is_some());
        let file = here.path().join("file");
        std::fs::File::create(&file).unwrap();
        assert!(choose(Some(&file)).unwrap_err().to_string().contains("is there already"));
    }

    #[test]
    fn earlier_demos_are_counted() {
        let here = tempfile::tempdir().unwrap();
        for name in ["demo", "demo-2", "demo-3"] {
            let folder = first_free(here.path()).unwrap();
            assert_eq!(folder, here.path().join(name));
            std::fs::create_dir(folder.join("ministry")).unwrap();
        }
    }
}
