use std::fs::{self, Permissions};
use std::io::BufReader;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::deployment::{DEPLOYMENT_KEY_FILE, DeploymentKey};
use crate::files::FileError;
use crate::fixtures::{deployment_key, keys};

#[test]
fn keys_come_back_as_they_were_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let made = keys(1);
    made.save(&path).unwrap();
    let loaded = NodeKeys::load(&path).unwrap();
    assert_eq!(loaded.signing.public(), made.signing.public());
    assert_eq!(loaded.signing.sign(b"x"), made.signing.sign(b"x"));
    assert_eq!(*loaded.sealing.to_secret_text(), *made.sealing.to_secret_text());
}

#[test]
fn keys_that_others_can_read_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    keys(1).save(folder.path()).unwrap();
    deployment_key().save(folder.path()).unwrap();
    for name in [SIGNING_KEY_FILE, SEALING_KEY_FILE, DEPLOYMENT_KEY_FILE] {
        let path = folder.path().join(name);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let refused = match name {
            DEPLOYMENT_KEY_FILE => DeploymentKey::load(folder.path()).map(|_| ()),
            _ => NodeKeys::load(folder.path()).map(|_| ()),
        };
        let error = refused.unwrap_err();
        assert!(matches!(error, KeyFileError::File(FileError::NotPrivate { .. })), "{error}");
        assert!(error.to_string().contains(name), "{error}");
        assert!(error.hint().is_some());
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    NodeKeys::load(folder.path()).unwrap();
}

#[test]
fn keys_are_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    keys(1).save(folder.path()).unwrap();
    let error = keys(2).save(folder.path()).unwrap_err();
    assert!(matches!(error, KeyFileError::File(FileError::AlreadyThere { .. })), "{error}");
    assert_eq!(NodeKeys::load(folder.path()).unwrap().signing.public(), keys(1).signing.public());
}

#[test]
fn the_age_command_takes_the_sealing_key_as_it_lies_there() {
    let folder = tempfile::tempdir().unwrap();
    keys(1).save(folder.path()).unwrap();
    let file = fs::File::open(folder.path().join(SEALING_KEY_FILE)).unwrap();
    let identities = age::IdentityFile::from_buffer(BufReader::new(file)).unwrap().into_identities().unwrap();
    assert_eq!(identities.len(), 1);
}

#[test]
fn one_kind_of_key_is_never_taken_for_another() {
    let folder = tempfile::tempdir().unwrap();
    keys(1).save(folder.path()).unwrap();
    fs::copy(folder.path().join(SIGNING_KEY_FILE), folder.path().join(DEPLOYMENT_KEY_FILE)).unwrap();
    let error = DeploymentKey::load(folder.path()).unwrap_err();
    assert!(matches!(error, KeyFileError::NotAKey { .. }), "{error}");
}

#[test]
fn damaged_key_files_are_refused_without_showing_them() {
    let line = crate::key_file::seed_line(SIGNING_KIND, &keys(1).signing);
    let damaged = [
        String::new(),
        "# only a comment\n".to_owned(),
        format!("{}\n{}\n", line.as_str(), line.as_str()),
        line[..line.len() - 4].to_owned(),
        format!("x{}", line.as_str()),
    ];
    for content in damaged {
        let folder = tempfile::tempdir().unwrap();
        keys(1).save(folder.path()).unwrap();
        fs::remove_file(folder.path().join(SIGNING_KEY_FILE)).unwrap();
        files::publish_private(folder.path(), SIGNING_KEY_FILE, content.as_bytes()).unwrap();
        let error = NodeKeys::load(folder.path()).unwrap_err();
        assert!(matches!(error, KeyFileError::NotAKey { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains(&line[30..50]));
    }
}
