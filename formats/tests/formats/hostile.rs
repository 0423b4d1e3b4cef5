//! What nobody packed is refused, early.

use std::io::{self, Read, Write};

use proptest::prelude::*;
use saddlebag_formats::members::{ChangesError, decode_change, encode_change};
use saddlebag_formats::payload::PayloadError;
use saddlebag_formats::{
    Action, ColumnChange, PayloadReader, RecordChange, Seq, TableChanges, TimeMs, Uid, Value, Version, limits, pack,
    unpack,
};

use crate::records::{changes, description, payload, writer};

fn write(uid: Uid, columns: &[(u16, Value)]) -> RecordChange {
    let column = |(column, value): &(u16, Value)| ColumnChange {
        column: *column,
        value: value.clone(),
        version: Version { time: TimeMs(5), writer: writer(1) },
        base: None,
        seq: Seq(1),
        effective: None,
    };
    RecordChange { uid, action: Action::Write { whole: true, columns: columns.iter().map(column).collect() } }
}

fn packed() -> Vec<u8> {
    let records = (0..20u8).map(|n| write(Uid([n; 16]), &[(0, Value::Integer(n.into())), (1, Value::Null)])).collect();
    pack(&payload(vec![TableChanges { table: description("patient", 3), records }]), 3).unwrap()
}

#[test]
fn a_payload_cut_anywhere_or_with_anything_appended_is_refused() {
    let packed = packed();
    for end in 0..packed.len() {
        assert!(unpack(&packed[..end]).is_err(), "{end}");
    }
    for more in [&[0][..], &packed, b"\x50\x2a\x4d\x18\0\0\0\0"] {
        let longer = [packed.as_slice(), more].concat();
        assert!(matches!(unpack(longer.as_slice()), Err(PayloadError::Trailing)));
    }
}

/// Who reads member by member learns of all that comes later at the end, and not before.
#[test]
fn what_is_damaged_behind_the_first_changes_is_found_by_the_end() {
    let packed = packed();
    let first = |bytes: &[u8]| PayloadReader::new(bytes).and_then(|mut reader| reader.next_changes()).is_ok();
    let checked = |bytes: &[u8]| PayloadReader::new(bytes).and_then(PayloadReader::finish);
    assert_eq!(checked(&packed).unwrap().records, 20);
    let longer = [packed.as_slice(), &[0]].concat();
    assert!(first(&longer));
    assert!(matches!(checked(&longer), Err(PayloadError::Trailing)));
    let mut archive = zstd::decode_all(packed.as_slice()).unwrap();
    let end = archive.len();
    archive[end - 1] = 1;
    let damaged = zstd::encode_all(archive.as_slice(), 1).unwrap();
    assert!(first(&damaged));
    assert!(matches!(checked(&damaged), Err(PayloadError::Archive(_))));
    let repeated = zstd::encode_all(&archive[..end - 512], 1).unwrap();
    assert!(first(&repeated) && checked(&repeated).is_err());
    let mut again = PayloadReader::new(longer.as_slice()).unwrap();
    while again.next_changes().unwrap().is_some() {}
    assert!(again.next_changes().unwrap().is_none());
    assert!(again.finish().is_err(), "the end of the archive is not the end of the source");
}

/// Nothing here has a signature to fail: a flip that still decodes must decode to something else, so that no
/// two payloads mean the same by accident of a lenient decoder. zstd itself leaves a few header bits free.
#[test]
fn flipped_bits_do_not_pass_unnoticed_through_the_archive() {
    let original = unpack(packed().as_slice()).unwrap();
    let archive = zstd::decode_all(packed().as_slice()).unwrap();
    for at in 0..archive.len() {
        let mut changed = archive.clone();
        changed[at] ^= 1 << (at % 8);
        if let Ok(found) = unpack(zstd::encode_all(changed.as_slice(), 1).unwrap().as_slice()) {
            assert!(found != original, "byte {at} of the archive can change without anybody noticing");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(unpack(bytes.as_slice()).is_err());
        prop_assert!(unpack(zstd::encode_all(bytes.as_slice(), 1).unwrap().as_slice()).is_err());
        let _ = decode_change(&bytes);
        let _ = decode_change(&[&[0], bytes.as_slice()].concat());
    }

    /// Changes that went through a damaged wire: whatever still decodes keeps the rules, so it can be packed.
    #[test]
    fn damaged_changes_are_refused_or_keep_the_rules(
        changes in changes(), edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        for table in &changes {
            for record in table.records.iter().take(3) {
                let mut bytes = encode_change(&table.table, record).unwrap();
                for (at, byte) in &edits {
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                }
                if let Ok((table, record)) = decode_change(&bytes) {
                    prop_assert!(encode_change(&table, &record).is_ok());
                }
            }
        }
    }

    /// The same for whole members, where the lists are longer.
    #[test]
    fn damaged_payloads_are_refused_or_keep_the_rules(
        changes in changes(), edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut archive = zstd::decode_all(pack(&payload(changes), 1).unwrap().as_slice()).unwrap();
        for (at, byte) in edits {
            let at = at.index(archive.len());
            archive[at] = byte;
        }
        if let Ok(found) = unpack(zstd::encode_all(archive.as_slice(), 1).unwrap().as_slice()) {
            prop_assert!(pack(&found, 1).is_ok());
        }
    }
}

fn frame(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    zstd::encode_all(builder.into_inner().unwrap().as_slice(), 1).unwrap()
}

fn members() -> Vec<(String, Vec<u8>)> {
    let archive = zstd::decode_all(packed().as_slice()).unwrap();
    let mut archive = tar::Archive::new(archive.as_slice());
    let read = |entry: io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), content)
    };
    archive.entries().unwrap().map(read).collect()
}

#[test]
fn members_missing_twice_renamed_or_in_another_order_are_refused() {
    let members = members();
    let plain: Vec<(&str, &[u8])> = members.iter().map(|(n, c)| (n.as_str(), c.as_slice())).collect();
    assert!(unpack(frame(&plain).as_slice()).is_ok(), "the form is the one that tar writes");
    let order = |places: &[usize]| {
        let chosen: Vec<_> = places.iter().map(|at| plain[*at]).collect();
        unpack(frame(&chosen).as_slice()).unwrap_err()
    };
    for places in [&[][..], &[0], &[0, 1], &[1, 0, 2, 3], &[0, 0, 1, 2, 3], &[0, 1, 2, 3, 3], &[0, 1, 3]] {
        assert!(matches!(order(places), PayloadError::Order { .. }), "{places:?}");
    }
    for name in ["changes/0001", "changes/000", "../changes/0000", "blobs/ab", "Changes/0000", "changes/0000\u{1b}"] {
        let mut renamed = plain.clone();
        renamed[3].0 = name;
        if name.starts_with("..") {
            continue; // `tar` itself refuses to write this one
        }
        let error = unpack(frame(&renamed).as_slice()).unwrap_err();
        assert!(!error.to_string().contains('\u{1b}'), "a name is shown with its escapes");
        assert!(matches!(error, PayloadError::Order { .. }), "{name}");
    }
}

/// A writer that makes `bytes` zeros into a frame of a few kilobytes.
fn zeros(mut begin: Vec<u8>, bytes: u64) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.write_all(&begin).unwrap();
    begin = vec![0; 1 << 20];
    (0..bytes >> 20).for_each(|_| encoder.write_all(&begin).unwrap());
    encoder.finish().unwrap()
}

#[test]
fn bombs_are_refused_before_they_are_unpacked() {
    let bomb = zeros(Vec::new(), 1 << 30);
    assert!(bomb.len() < 1 << 20);
    let started = std::time::Instant::now();
    assert!(unpack(bomb.as_slice()).is_err());
    let mut header = tar::Header::new_ustar();
    header.set_path("bundle").unwrap();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(4 << 30);
    header.set_cksum();
    let bomb = zeros(header.as_bytes().to_vec(), 1 << 30);
    assert!(matches!(unpack(bomb.as_slice()), Err(PayloadError::Archive(_))));
    assert!(started.elapsed().as_secs() < 5, "neither was unpacked");
}

#[test]
fn a_frame_that_asks_for_a_large_window_is_refused() {
    let archive = zstd::decode_all(packed().as_slice()).unwrap();
    let with_window = |log| {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.window_log(log).unwrap();
        encoder.write_all(&archive).unwrap();
        encoder.finish().unwrap()
    };
    assert!(unpack(with_window(limits::ZSTD_WINDOW_LOG_MAX).as_slice()).is_ok());
    let error = unpack(with_window(limits::ZSTD_WINDOW_LOG_MAX + 1).as_slice());
    assert!(matches!(error, Err(PayloadError::Archive(_) | PayloadError::Compression(_))));
}

#[test]
fn every_level_asks_for_a_window_that_is_taken() {
    let records = (0..40u8).map(|n| write(Uid([n; 16]), &[(0, Value::Blob(noise(n.into(), 300_000)))])).collect();
    let payload = payload(vec![TableChanges { table: description("scan", 1), records }]);
    for level in [-5, 0, 1, 19, 22, 99] {
        assert_eq!(unpack(pack(&payload, level).unwrap().as_slice()).unwrap(), payload, "{level}");
    }
}

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..bytes).map(step).collect()
}

#[test]
fn records_that_break_the_rules_are_not_written() {
    let table = description("patient", 3);
    let refused = |columns: &[(u16, Value)]| encode_change(&table, &write(Uid([1; 16]), columns));
    assert!(refused(&[(0, Value::Null), (2, Value::Null)]).is_ok());
    for columns in [&[1, 0][..], &[1, 1], &[3], &[u16::MAX]] {
        let columns: Vec<_> = columns.iter().map(|column| (*column, Value::Null)).collect();
        assert!(matches!(refused(&columns), Err(ChangesError::Columns { .. })));
    }
    let wide = limits::COLUMNS_PER_TABLE_MAX as u16;
    assert!(encode_change(&description("wide", wide), &write(Uid([1; 16]), &[])).is_ok());
    let error = encode_change(&description("wide", wide + 1), &write(Uid([1; 16]), &[]));
    assert!(matches!(error, Err(ChangesError::TooMany { .. })));
}

#[test]
fn one_record_more_than_a_bundle_holds_is_refused() {
    let record = |n: u32| {
        let mut uid = [5; 16];
        uid[12..].copy_from_slice(&n.to_be_bytes());
        write(Uid(uid), &[])
    };
    let mut records: Vec<_> = (0..limits::RECORDS_PER_BUNDLE_MAX as u32).map(record).collect();
    let pack = |records: &Vec<_>| {
        pack(&payload(vec![TableChanges { table: description("a", 1), records: records.clone() }]), 1)
    };
    assert!(pack(&records).is_ok());
    records.push(record(u32::MAX));
    assert!(matches!(pack(&records), Err(PayloadError::TooMany { what: "records", .. })));
}
