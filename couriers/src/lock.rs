//! One saddlebag at a time works on a node.
//!
//! Invariant: the lock belongs to the open file, so that it goes with the process, however that ends.

use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::NodeError;
use crate::folder::LOCK_FILE;

/// The lock of a node, held as long as this lives.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the node in `folder`.
    pub(crate) fn take(folder: &Path) -> Result<Self, NodeError> {
        let path = folder.join(LOCK_FILE);
        let failed = |source| NodeError::Io { action: "lock", path: path.clone(), source };
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(NodeError::InUse { folder: folder.to_owned() }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_second_saddlebag_is_told_so_until_the_first_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).unwrap();
        let second = Lock::take(folder.path());
        assert!(matches!(second, Err(NodeError::InUse { .. })));
        drop(first);
        Lock::take(folder.path()).unwrap();
        let mode = folder.path().join(LOCK_FILE).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
