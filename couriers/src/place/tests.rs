use std::fs;
use std::os::unix::fs::symlink;

use saddlebag_formats::header::{BundleHeader, KeyId};
use saddlebag_formats::payload_binding::PayloadBinding;
use saddlebag_formats::{
    BundleId, BundleNumber, DeploymentId, Epoch, NodeId, Seq, TimeMs, signature_line, signed_lines,
};
use saddlebag_keys::SigningKeys;
use saddlebag_keys::this_node::ThisNode;
use tempfile::TempDir;

use super::*;

const ME: NodeId = NodeId([1; 16]);

fn keys(seed: u8) -> SigningKeys {
    SigningKeys::from_seed(&[seed; 32])
}

/// A bundle from [`ME`], signed by `keys`, with the number as its id.
fn bundle(number: u64, keys: &SigningKeys) -> Vec<u8> {
    let header = BundleHeader {
        deployment: DeploymentId([0xd; 16]),
        id: BundleId([u8::try_from(number).unwrap(); 16]),
        from: ME,
        key: keys.key_id(),
        to: NodeId([2; 16]),
        epoch: Epoch(1),
        number: BundleNumber(number),
        after: Seq(0),
        upto: Seq(number),
        ack: None,
        created: TimeMs(0),
        payload: PayloadBinding::of(b"payload"),
    };
    let mut bytes = signed_lines(&header);
    let signature = keys.sign(&bytes);
    bytes.extend_from_slice(signature_line(&signature).as_bytes());
    bytes.extend_from_slice(b"payload");
    bytes
}

struct Stick {
    root: TempDir,
    place: FolderPlace,
    receiver: NodeName,
}

impl Stick {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let place = FolderPlace::open(root.path()).unwrap();
        Self { root, place, receiver: "ministry".parse().unwrap() }
    }

    fn folder(&self) -> PathBuf {
        self.place.prepare("ministry").unwrap()
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        files::publish(&self.folder(), name, bytes).unwrap()
    }

    fn scan(&self) -> Scan {
        self.place.scan(&self.receiver).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn a_place_that_is_not_there_is_not_made() {
    let root = tempfile::tempdir().unwrap();
    let missing = root.path().join("stick");
    assert!(matches!(FolderPlace::open(&missing), Err(PlaceError::NotThere { .. })));
    assert!(!missing.exists());
    let file = files::publish(root.path(), "file", b"").unwrap();
    assert!(matches!(FolderPlace::open(&file), Err(PlaceError::NotAFolder { .. })));
    assert!(Stick::new().scan().candidates.is_empty(), "an empty stick is no error");
}

#[test]
fn what_is_no_bundle_is_left_alone() {
    let stick = Stick::new();
    let good = stick.put("clinic-to-ministry_000001.sbag", &bundle(1, &keys(1)));
    symlink(&good, stick.folder().join("link.sbag")).unwrap();
    fs::create_dir(stick.folder().join("folder.sbag")).unwrap();
    let pipe = stick.folder().join("pipe.sbag");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    stick.put("con.sbag", b"");
    stick.put("letter.doc", b"");
    fs::File::create(stick.folder().join("a.sbag.x1.part")).unwrap();
    let before = stick.names();
    let scan = stick.scan();
    assert_eq!(scan.candidates.len(), 1);
    assert!(matches!(scan.candidates[0].look, Look::Whole(_)));
    assert_eq!(scan.foreign, 5, "link, folder, pipe, con and letter; what is being written does not count");
    assert_eq!(stick.names(), before);
}

#[test]
fn a_file_of_another_size_than_its_header_says_is_told_apart() {
    let stick = Stick::new();
    let whole = bundle(1, &keys(1));
    for (name, bytes) in [("a.sbag", &whole[..whole.len() - 1]), ("b.sbag", &whole[..40]), ("c.sbag", &[][..])] {
        let path = stick.put(name, bytes);
        assert!(matches!(look(&path).look, Look::Incomplete(_)), "{name}");
    }
    let zeros = stick.put("zeros.sbag", &vec![0; whole.len()]);
    assert!(matches!(look(&zeros).look, Look::Incomplete(None)), "as exFAT leaves it after a power cut");
    let long = stick.put("long.sbag", &[&whole[..], b"x"].concat());
    assert!(matches!(look(&long).look, Look::Overlong(_)));
    let other = stick.put("other.sbag", b"a letter to the minister\n");
    assert!(matches!(look(&other).look, Look::Unreadable(_)));
    let sparse = stick.put("sparse.sbag", b"");
    fs::OpenOptions::new().write(true).open(&sparse).unwrap().set_len(1 << 40).unwrap();
    assert!(matches!(look(&sparse).look, Look::Failed(files::FileError::TooLarge { .. })));
    assert_eq!(stick.scan().candidates.len(), 7, "one bad file does not hide another");
}

#[test]
fn bundles_are_found_in_the_order_of_their_headers() {
    let stick = Stick::new();
    for (name, number) in [("a.sbag", 10), ("b.sbag", 2), ("c.sbag", 3)] {
        stick.put(name, &bundle(number, &keys(1)));
    }
    let numbers: Vec<_> = stick.scan().candidates.iter().map(|found| found.head().unwrap().header.number.0).collect();
    assert_eq!(numbers, [2, 3, 10]);
}

#[test]
fn a_bundle_is_published_once() {
    let (stick, home) = (Stick::new(), tempfile::tempdir().unwrap());
    let source = files::publish(home.path(), "clinic-to-ministry_1.sbag", &bundle(1, &keys(1))).unwrap();
    assert!(!stick.place.has(&stick.receiver, &source).unwrap());
    let first = stick.place.publish(&stick.receiver, &source).unwrap();
    assert!(!first.was_there);
    assert_eq!(fs::read(&first.path).unwrap(), fs::read(&source).unwrap());
    assert!(stick.place.has(&stick.receiver, &source).unwrap());
    assert_eq!(stick.place.publish(&stick.receiver, &source).unwrap(), Published { was_there: true, ..first });
    assert_eq!(stick.names(), ["clinic-to-ministry_1.sbag"]);
}

#[test]
fn what_a_power_cut_left_is_replaced_and_what_is_others_stays() {
    let (stick, home) = (Stick::new(), tempfile::tempdir().unwrap());
    let bytes = bundle(1, &keys(1));
    for (at, (remains, stays)) in
        [(&b""[..], false), (&bytes[..100], false), (&[0; 50][..], false), (b"mine", true)].into_iter().enumerate()
    {
        let name = format!("clinic-to-ministry_{at}.sbag");
        let source = files::publish(home.path(), &name, &bytes).unwrap();
        let there = stick.put(&name, remains);
        let published = stick.place.publish(&stick.receiver, &source).unwrap();
        assert!(!published.was_there);
        assert_eq!(published.path.file_name().unwrap().to_str().unwrap(), format!("clinic-to-ministry_{at}_2.sbag"));
        assert_eq!(there.exists(), stays, "{remains:?}");
        assert!(stick.place.has(&stick.receiver, &source).unwrap());
        assert!(stick.place.publish(&stick.receiver, &source).unwrap().was_there);
    }
}

#[test]
fn a_folder_that_is_a_link_is_not_followed() {
    let (stick, elsewhere) = (Stick::new(), tempfile::tempdir().unwrap());
    fs::create_dir(stick.root.path().join(PLACE_FOLDER)).unwrap();
    symlink(elsewhere.path(), stick.root.path().join("saddlebag/ministry")).unwrap();
    let source = files::publish(stick.root.path(), "a.sbag", b"x").unwrap();
    assert!(matches!(stick.place.publish(&stick.receiver, &source), Err(PlaceError::NotAFolder { .. })));
    assert!(matches!(stick.place.scan(&stick.receiver), Err(PlaceError::NotAFolder { .. })));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn only_what_this_node_signed_is_removed() {
    let stick = Stick::new();
    let me = ThisNode { id: ME, name: "clinic".parse().unwrap(), deployment: DeploymentId([0xd; 16]), epoch: Epoch(1) };
    stick.put("1.sbag", &bundle(1, &keys(1)));
    stick.put("2.sbag", &bundle(2, &keys(1)));
    stick.put("3-forged.sbag", &bundle(3, &keys(2)));
    stick.put("4-cut.sbag", &bundle(4, &keys(1))[..300]);
    let mut claimed = String::from_utf8(bundle(5, &keys(2))).unwrap();
    claimed = claimed.replace(&keys(2).key_id().to_string(), &keys(1).key_id().to_string());
    stick.put("5-claimed.sbag", claimed.as_bytes());
    assert_ne!(KeyId([0; 8]), keys(1).key_id());
    let key = keys(1).public();
    let removed = stick.place.remove_superseded(&me, &key, &stick.receiver, &[BundleId([2; 16])]).unwrap();
    assert_eq!(removed, [stick.folder().join("1.sbag")]);
    assert_eq!(stick.names(), ["2.sbag", "3-forged.sbag", "4-cut.sbag", "5-claimed.sbag"]);
}

#[test]
fn too_little_room_is_noticed_before_anything_is_written() {
    let stick = Stick::new();
    assert!(stick.place.check_room(1).is_ok());
    assert!(matches!(stick.place.check_room(u64::MAX), Err(PlaceError::NoRoom { .. })));
    let (name, home) = ("big.sbag", tempfile::tempdir().unwrap());
    let source = files::publish(home.path(), name, b"").unwrap();
    // Sparse: it takes no room here, and would there, however much others free meanwhile.
    let free = rustix::fs::statvfs(stick.root.path()).unwrap();
    let bytes = free.f_blocks * free.f_frsize + (1 << 40);
    fs::OpenOptions::new().write(true).open(&source).unwrap().set_len(bytes).unwrap();
    assert!(matches!(stick.place.publish(&stick.receiver, &source), Err(PlaceError::NoRoom { .. })));
    assert!(stick.names().is_empty());
}

#[test]
fn a_card_is_put_with_the_cards_and_never_over_another() {
    let stick = Stick::new();
    let path = stick.place.publish_card("clinic.card", b"card").unwrap();
    assert_eq!(path, stick.root.path().join("saddlebag/cards/clinic.card"));
    assert!(stick.place.publish_card("clinic.card", b"other").is_err());
    assert_eq!(fs::read(path).unwrap(), b"card");
}
