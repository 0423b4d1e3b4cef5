//! What can go wrong with a file. Every error names the file.

use std::io;
use std::path::PathBuf;

/// A file that could not be written, read or trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The operating system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried, as a verb: "open".
        action: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file of that name exists. It was not touched.
    #[error("`{}` is already there; it was left as it is", path.display())]
    AlreadyThere {
        /// Which file.
        path: PathBuf,
    },
    /// The name is not the name of a file in that folder.
    #[error("`{}` cannot be the name of a file", name.escape_debug())]
    BadName {
        /// The name.
        name: String,
    },
    /// A folder, link, pipe or device where a file was expected.
    #[error("`{}` is not an ordinary file", path.display())]
    NotOrdinary {
        /// Which file.
        path: PathBuf,
    },
    /// More bytes than were expected of such a file.
    #[error("`{}` is larger than {bytes_max} bytes", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// How many would have been read.
        bytes_max: u64,
    },
    /// A secret that others on this machine may read or change.
    #[error("`{}` holds a secret, but others than its owner may use it (mode {mode:04o})", path.display())]
    NotPrivate {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// What was read back is not what was written.
    #[error("`{}` does not hold what was written to it", path.display())]
    ReadBackDiffers {
        /// Which file.
        path: PathBuf,
    },
}

impl FileError {
    /// What to do about it, where there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io { source, .. } => io_hint(source.kind()),
            Self::AlreadyThere { .. } => Some("choose another name, or move the file away first"),
            Self::BadName { .. } => None,
            Self::NotOrdinary { .. } => Some("links, pipes and devices are never followed; put the file itself there"),
            Self::TooLarge { .. } => Some("this is probably another kind of file"),
            Self::NotPrivate { .. } => Some(
                "run `chmod 600` on the file; if others may have read it, its keys should be replaced. \
                 On FAT and exFAT this cannot be done: keep the node's folder on the machine's own disk",
            ),
            Self::ReadBackDiffers { .. } => Some("do not trust this stick or disk; copy to another one"),
        }
    }

    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

fn io_hint(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some("make room there, then try again"),
        io::ErrorKind::ReadOnlyFilesystem => {
            Some("it is mounted read-only: look for the switch on the stick, or mount it for writing")
        }
        io::ErrorKind::PermissionDenied => Some("run this as the user who owns the node's folder"),
        io::ErrorKind::NotFound => Some("check the path, and that the stick is mounted"),
        _ => None,
    }
}
