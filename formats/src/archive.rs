//! The members of a payload as a tar archive (POSIX.1-1988 ustar), of which exactly one form is taken.
//!
//! Nothing is ever extracted. Invariant: every header is, byte for byte, the one that would have been
//! written for that name and size; so there are no links, devices, long names, extensions, owners or times.

use std::io::{self, Read};

use tar::{EntryType, Header};

const BLOCK: usize = 512;

/// An archive that is not of the one form.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// It could not be read, or ends too early.
    #[error("the archive cannot be read")]
    Read(#[from] io::Error),
    /// A header of another form.
    #[error("the archive holds an entry that is no plain member")]
    Header,
    /// A member larger than it may be.
    #[error("the member `{name}` has {size} bytes, more than the {limit} that it may have")]
    Size {
        /// The member.
        name: String,
        /// Its size.
        size: u64,
        /// What it may have.
        limit: u64,
    },
    /// Bytes that are not zero where the format fills up.
    #[error("the archive holds bytes between or after its members")]
    Padding,
}

/// The header of member `name`: a regular file, mode 0644, owner 0, time 0.
fn header(name: &str, size: u64) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    Ok(header)
}

/// The end of an archive: two empty blocks.
pub(crate) const END_BYTES: u64 = 2 * BLOCK as u64;

/// How many bytes of an archive a member of this size takes.
pub(crate) fn member_bytes(size: usize) -> u64 {
    (BLOCK + size.next_multiple_of(BLOCK)) as u64
}

/// Writes member after member.
pub(crate) fn write_member(into: &mut impl io::Write, name: &str, content: &[u8]) -> io::Result<()> {
    into.write_all(header(name, content.len() as u64)?.as_bytes())?;
    into.write_all(content)?;
    into.write_all(&[0; BLOCK][..content.len().next_multiple_of(BLOCK) - content.len()])
}

/// Writes the end: two empty blocks.
pub(crate) fn write_end(into: &mut impl io::Write) -> io::Result<()> {
    into.write_all(&[0; 2 * BLOCK])
}

/// The name and size of the next member; none at the end, after which nothing may follow.
pub(crate) fn read_header(from: &mut impl Read) -> Result<Option<(String, u64)>, ArchiveError> {
    let mut block = [0; BLOCK];
    from.read_exact(&mut block)?;
    if block == [0; BLOCK] {
        return read_end(from).map(|()| None);
    }
    let found = Header::from_byte_slice(&block);
    let size = found.entry_size().map_err(|_| ArchiveError::Header)?;
    let name = String::from_utf8(found.path_bytes().into_owned()).map_err(|_| ArchiveError::Header)?;
    let canonical = header(&name, size).map_err(|_| ArchiveError::Header)?;
    if *canonical.as_bytes() != block {
        return Err(ArchiveError::Header);
    }
    Ok(Some((name, size)))
}

fn read_end(from: &mut impl Read) -> Result<(), ArchiveError> {
    let mut block = [0; BLOCK];
    from.read_exact(&mut block)?;
    let mut more = [0; 1];
    if block != [0; BLOCK] || from.read(&mut more)? != 0 {
        return Err(ArchiveError::Padding);
    }
    Ok(())
}

/// The content of a member, with what fills its last block. Memory grows with what really comes.
pub(crate) fn read_content(from: &mut impl Read, name: &str, size: u64, limit: usize) -> Result<Vec<u8>, ArchiveError> {
    let limit = limit as u64;
    if size > limit {
        return Err(ArchiveError::Size { name: name.to_owned(), size, limit });
    }
    let mut content = Vec::new();
    from.by_ref().take(size).read_to_end(&mut content)?;
    if (content.len() as u64) < size {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    let mut padding = [0; BLOCK];
    let padding = &mut padding[..content.len().next_multiple_of(BLOCK) - content.len()];
    from.read_exact(padding)?;
    match padding.iter().all(|byte| *byte == 0) {
        true => Ok(content),
        false => Err(ArchiveError::Padding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        members.iter().for_each(|(name, content)| write_member(&mut bytes, name, content).unwrap());
        write_end(&mut bytes).unwrap();
        bytes
    }

    fn read(mut bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, ArchiveError> {
        let mut members = Vec::new();
        while let Some((name, size)) = read_header(&mut bytes)? {
            let content = read_content(&mut bytes, &name, size, 2000)?;
            members.push((name, content));
        }
        Ok(members)
    }

    #[test]
    fn members_come_back_and_other_tools_read_them() {
        let bytes = archive(&[("bundle", b"abc"), ("changes/0000", &[7; 1024]), ("empty", b"")]);
        assert_eq!(bytes.len() as u64, [3, 1024, 0].map(member_bytes).iter().sum::<u64>() + END_BYTES);
        let members = read(&bytes).unwrap();
        assert_eq!(members[1], ("changes/0000".to_owned(), vec![7; 1024]));
        let mut other = tar::Archive::new(bytes.as_slice());
        let names: Vec<_> = other.entries().unwrap().map(|e| e.unwrap().path().unwrap().into_owned()).collect();
        assert_eq!(names.len(), 3);
    }

    #[test]
    fn links_devices_extensions_and_long_names_are_refused() {
        for kind in *b"\x001234567xgLKSV" {
            let mut changed = header("bundle", 0).unwrap();
            changed.as_old_mut().linkflag = [kind];
            changed.set_cksum();
            let bytes = [changed.as_bytes().as_slice(), &[0; 1024]].concat();
            assert!(matches!(read(&bytes), Err(ArchiveError::Header)), "{kind}");
        }
        let mut gnu = Header::new_gnu();
        gnu.set_path("bundle").unwrap();
        gnu.set_size(0);
        gnu.set_cksum();
        assert!(matches!(read(&[gnu.as_bytes().as_slice(), &[0; 1024]].concat()), Err(ArchiveError::Header)));
    }

    #[test]
    fn every_changed_byte_of_a_header_shows() {
        let bytes = archive(&[("bundle", b"")]);
        for at in 0..BLOCK {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(read(&changed).is_err(), "{at}");
        }
    }

    #[test]
    fn every_cut_appended_byte_and_filled_gap_shows() {
        let bytes = archive(&[("bundle", b"abc")]);
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "{end}");
        }
        assert!(matches!(read(&[bytes.as_slice(), &[0]].concat()), Err(ArchiveError::Padding)));
        for at in [BLOCK + 3, 2 * BLOCK - 1, 3 * BLOCK, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] = 1;
            assert!(matches!(read(&changed), Err(ArchiveError::Padding)), "{at}");
        }
    }

    #[test]
    fn a_member_one_byte_too_large_is_refused_before_it_is_read() {
        assert!(read(&archive(&[("bundle", &[1; 2000])])).is_ok());
        let large = archive(&[("bundle", &[1; 2001])]);
        assert!(matches!(read(&large[..BLOCK]), Err(ArchiveError::Size { size: 2001, .. })));
    }
}
