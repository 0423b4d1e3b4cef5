//! What can be wrong with a folder or a stick.

use std::io;
use std::path::PathBuf;

use saddlebag_keys::files::FileError;

/// A place that could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// Nothing is there.
    #[error("there is no folder `{}`", path.display())]
    NotThere {
        /// The path.
        path: PathBuf,
    },
    /// A file or a link where a folder was expected.
    #[error("`{}` is not a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Too little free space.
    #[error("`{}` has {free} bytes free, and {needed} are needed", path.display())]
    NoRoom {
        /// The place.
        path: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that are needed.
        needed: u64,
    },
    /// A file there.
    #[error(transparent)]
    File(#[from] FileError),
    /// Every name that the bundle could have is taken by something else.
    #[error("`{}` and its like are taken by other files", path.display())]
    NamesTaken {
        /// The name that it should have.
        path: PathBuf,
    },
}

impl PlaceError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotThere { .. } => Some("check the path, and that the stick is mounted"),
            Self::NotAFolder { .. } => Some("saddlebag follows no links there; name the folder itself"),
            Self::NoRoom { .. } => Some("make room there, or take another stick; nothing is lost"),
            Self::NamesTaken { .. } => Some("move those files away"),
            Self::Io { .. } => Some("check that this user may read and write there"),
            Self::File(error) => error.hint(),
        }
    }
}
