use std::fs::Permissions;

use rustix::fs::{FileType, Mode, mknodat};

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn publish_makes_one_whole_file_and_leaves_nothing_else() {
    let folder = folder();
    let path = publish(folder.path(), "a.sbag", b"content").unwrap();
    assert_eq!(path, folder.path().join("a.sbag"));
    assert_eq!(fs::read(path).unwrap(), b"content");
    assert_eq!(names(folder.path()), ["a.sbag"]);
}

#[test]
fn publish_never_overwrites() {
    let folder = folder();
    publish(folder.path(), "a.sbag", b"first").unwrap();
    let second = publish(folder.path(), "a.sbag", b"second");
    assert!(matches!(second, Err(FileError::AlreadyThere { .. })), "{second:?}");
    assert_eq!(fs::read(folder.path().join("a.sbag")).unwrap(), b"first");
    assert_eq!(names(folder.path()), ["a.sbag"]);
}

#[test]
fn publish_does_not_overwrite_a_link_that_leads_nowhere() {
    let folder = folder();
    std::os::unix::fs::symlink("nowhere", folder.path().join("a.sbag")).unwrap();
    assert!(matches!(publish(folder.path(), "a.sbag", b"x"), Err(FileError::AlreadyThere { .. })));
    assert_eq!(names(folder.path()), ["a.sbag"]);
}

#[test]
fn the_renaming_itself_refuses_a_name_that_was_taken_meanwhile() {
    let folder = folder();
    let taken = publish(folder.path(), "a", b"first").unwrap();
    let newer = publish(folder.path(), "b", b"second").unwrap();
    assert!(matches!(rename_to_fresh(&newer, &taken), Err(FileError::AlreadyThere { .. })));
    assert_eq!(fs::read(taken).unwrap(), b"first");
    assert_eq!(fs::read(newer).unwrap(), b"second");
}

#[test]
fn of_many_that_publish_one_name_at_once_exactly_one_succeeds() {
    let folder = folder();
    let content = |writer: u8| vec![writer; 100_000];
    let done: Vec<u8> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let folder = folder.path();
                scope.spawn(move || publish(folder, "a", &content(writer)).ok().map(|_| writer))
            })
            .collect();
        writers.into_iter().filter_map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(done.len(), 1);
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), content(done[0]));
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let folder = folder();
    for name in ["", ".", "..", "a/b", "/a", "../a", "a\0b", "a.part"] {
        assert!(matches!(publish(folder.path(), name, b"x"), Err(FileError::BadName { .. })), "{name:?}");
        assert!(matches!(replace(folder.path(), name, b"x"), Err(FileError::BadName { .. })), "{name:?}");
    }
    assert!(names(folder.path()).is_empty());
}

#[test]
fn an_error_names_the_file_and_says_what_to_do() {
    let error = publish(Path::new("/nonexistent/folder"), "a", b"x").unwrap_err();
    assert!(error.to_string().contains("/nonexistent/folder"), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_copy_has_the_content_and_the_digest_of_its_source() {
    let folder = folder();
    let content: Vec<u8> = (0..200_000u32).map(|number| (number % 251) as u8).collect();
    let source = publish(folder.path(), "source", &content).unwrap();
    let (copy, digest) = publish_copy(folder.path(), "copy", &source).unwrap();
    assert_eq!(fs::read(copy).unwrap(), content);
    assert_eq!(digest, FileDigest::of(&content));
}

#[test]
fn a_secret_is_for_its_owner_only() {
    let folder = folder();
    let path = publish_private(folder.path(), "key", b"secret").unwrap();
    assert_eq!(mode(&path), 0o600);
    assert!(check_private(&path).is_ok());
    assert_eq!(read_private(&path, 100).unwrap(), b"secret");
    for others in [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o666] {
        fs::set_permissions(&path, Permissions::from_mode(others)).unwrap();
        assert!(matches!(check_private(&path), Err(FileError::NotPrivate { mode, .. }) if mode == others));
        assert!(matches!(read_private(&path, 100), Err(FileError::NotPrivate { .. })));
    }
}

#[test]
fn replace_takes_the_place_of_the_old_content() {
    let folder = folder();
    replace(folder.path(), "high-water", b"1").unwrap();
    let path = replace(folder.path(), "high-water", b"2").unwrap();
    assert_eq!(fs::read(path).unwrap(), b"2");
    assert_eq!(names(folder.path()), ["high-water"]);
}

#[test]
fn folders_are_made_with_those_above_them() {
    let folder = folder();
    let deep = folder.path().join("saddlebag/clinic-07");
    create_folders(&deep).unwrap();
    create_folders(&deep).unwrap();
    assert!(deep.is_dir());
    let keys = folder.path().join("node/keys");
    create_private_folders(&keys).unwrap();
    assert_eq!(mode(&keys), 0o700);
    publish(folder.path(), "file", b"x").unwrap();
    assert!(create_folders(&folder.path().join("file")).is_err());
}

#[test]
fn reading_is_bounded_to_the_byte() {
    let folder = folder();
    let path = publish(folder.path(), "a", &[7; 100]).unwrap();
    assert_eq!(read_bounded(&path, 100).unwrap(), [7; 100]);
    assert!(matches!(read_bounded(&path, 99), Err(FileError::TooLarge { bytes_max: 99, .. })));
    let empty = publish(folder.path(), "b", b"").unwrap();
    assert_eq!(read_bounded(&empty, 0).unwrap(), b"");
}

#[test]
fn links_pipes_and_folders_are_not_opened() {
    let folder = folder();
    let file = publish(folder.path(), "file", b"x").unwrap();
    let (link, pipe) = (folder.path().join("link"), folder.path().join("pipe"));
    std::os::unix::fs::symlink(file, &link).unwrap();
    mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    for path in [&link, &pipe, folder.path()] {
        assert!(matches!(read_bounded(path, 100), Err(FileError::NotOrdinary { .. })), "{}", path.display());
    }
    assert!(matches!(read_bounded(&folder.path().join("absent"), 100), Err(FileError::Io { .. })));
}

#[test]
fn a_copy_that_differs_is_found() {
    let folder = folder();
    let digest = FileDigest::of(b"content");
    let good = publish(folder.path(), "good", b"content").unwrap();
    verify_copy(&good, &digest).unwrap();
    for (name, content) in [("changed", &b"c0ntent"[..]), ("short", b"conten"), ("long", b"content!"), ("empty", b"")] {
        let bad = publish(folder.path(), name, content).unwrap();
        assert!(matches!(verify_copy(&bad, &digest), Err(FileError::ReadBackDiffers { .. })), "{name}");
    }
}

#[test]
fn temporary_names_are_known_as_such() {
    assert!(is_partial("a.sbag.x7Yq2z.part"));
    assert!(!is_partial("a.sbag"));
}
