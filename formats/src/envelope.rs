//! A bundle on the outside: three lines, then the payload.
//!
//! ```text
//! saddlebag bundle 1
//! {"deployment":…}
//! ed25519:BASE64-SIGNATURE
//! <payload>
//! ```
//!
//! Invariant: what is checked against the signature is what was received, byte for byte, never a
//! re-encoding. No more is read than the three bounded lines.

use std::io::{self, BufRead, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::header::{BundleHeader, HeaderError};
use crate::limits;

/// The first line, without its line feed.
pub const MAGIC: &str = "saddlebag bundle 1";
/// What the first line of every version begins with.
const MAGIC_ANY_VERSION: &str = "saddlebag bundle ";
const SIGNATURE_PREFIX: &str = "ed25519:";

/// The three lines of a bundle, read but not yet believed: the signature is for `keys` to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The second line.
    pub header: BundleHeader,
    /// The first two lines as received, with their line feeds: what the signature is over.
    pub signed: Vec<u8>,
    /// The third line.
    pub signature: [u8; 64],
}

/// Three lines that are not those of a bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Something else.
    #[error("the file is not a saddlebag bundle")]
    NotABundle,
    /// A bundle of a later saddlebag.
    #[error("the bundle has format {version}, and this saddlebag reads format 1")]
    NewerVersion {
        /// What follows `saddlebag bundle `.
        version: String,
    },
    /// The file ends inside a line.
    #[error("the file ends in line {line}")]
    Truncated {
        /// The line, from 1.
        line: u8,
    },
    /// A line without end.
    #[error("line {line} has more than the {limit} bytes that it may have")]
    TooLong {
        /// The line, from 1.
        line: u8,
        /// Bytes it may have, its line feed included.
        limit: usize,
    },
    /// A line ends as on Windows.
    #[error("line {line} holds a carriage return; lines end with a line feed alone")]
    CarriageReturn {
        /// The line, from 1.
        line: u8,
    },
    /// A zero byte, as in a file that a stick lost.
    #[error("line {line} holds a zero byte")]
    Nul {
        /// The line, from 1.
        line: u8,
    },
    /// The second line is refused.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The third line is no signature.
    #[error("line 3 is not `ed25519:` and a signature of 64 bytes in base64")]
    Signature,
    /// It could not be read.
    #[error("the file cannot be read")]
    Read(#[from] io::Error),
}

impl EnvelopeError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotABundle => "bundles begin with `saddlebag bundle 1`",
            Self::NewerVersion { .. } => "install the saddlebag that the sender has, or a later one",
            Self::CarriageReturn { .. } => "the file was copied as text: copy it as it is",
            _ => "the file was not copied completely, or was damaged: copy it again",
        }
    }
}

impl Head {
    /// Reads three lines and leaves `reader` at the payload.
    ///
    /// # Errors
    /// If they are not exactly the three lines of a bundle of this version.
    pub fn read(reader: &mut impl BufRead) -> Result<Self, EnvelopeError> {
        let magic = read_magic(reader)?;
        let header_line = read_line(reader, 2, limits::HEADER_BYTES_MAX)?;
        let text =
            std::str::from_utf8(&header_line).map_err(|error| HeaderError::Malformed { reason: error.to_string() })?;
        let header = BundleHeader::from_line(text)?;
        let signature = parse_signature(&read_line(reader, 3, limits::SIGNATURE_LINE_BYTES_MAX)?)?;
        let signed = [magic.as_slice(), b"\n", &header_line, b"\n"].concat();
        Ok(Self { header, signed, signature })
    }
}

/// The first two lines, with their line feeds: what the signature is made over.
#[must_use]
pub fn signed_lines(header: &BundleHeader) -> Vec<u8> {
    format!("{MAGIC}\n{}\n", header.to_line()).into_bytes()
}

/// The third line, with its line feed.
#[must_use]
pub fn signature_line(signature: &[u8; 64]) -> String {
    format!("{SIGNATURE_PREFIX}{}\n", STANDARD.encode(signature))
}

fn read_magic(reader: &mut impl BufRead) -> Result<Vec<u8>, EnvelopeError> {
    // Room for the number of a later version.
    let limit = limits::MAGIC_BYTES + 16;
    let line = match read_line(reader, 1, limit) {
        Err(EnvelopeError::TooLong { .. }) => return Err(EnvelopeError::NotABundle),
        line => line?,
    };
    if line == MAGIC.as_bytes() {
        return Ok(line);
    }
    let version = line.strip_prefix(MAGIC_ANY_VERSION.as_bytes()).unwrap_or_default();
    if version.is_empty() || !version.iter().all(u8::is_ascii_digit) {
        return Err(EnvelopeError::NotABundle);
    }
    Err(EnvelopeError::NewerVersion { version: String::from_utf8_lossy(version).into_owned() })
}

/// One line without its line feed; `limit` counts it.
fn read_line(reader: &mut impl BufRead, number: u8, limit: usize) -> Result<Vec<u8>, EnvelopeError> {
    let mut line = Vec::new();
    reader.by_ref().take(limit as u64).read_until(b'\n', &mut line)?;
    let ended = line.pop_if(|last| *last == b'\n').is_some();
    if number == 1 && !MAGIC_ANY_VERSION.as_bytes().starts_with(&line[..line.len().min(MAGIC_ANY_VERSION.len())]) {
        return Err(EnvelopeError::NotABundle);
    }
    if line.contains(&0) {
        return Err(EnvelopeError::Nul { line: number });
    }
    if line.contains(&b'\r') {
        return Err(EnvelopeError::CarriageReturn { line: number });
    }
    match ended {
        true => Ok(line),
        false if line.len() < limit => Err(EnvelopeError::Truncated { line: number }),
        false => Err(EnvelopeError::TooLong { line: number, limit }),
    }
}

fn parse_signature(line: &[u8]) -> Result<[u8; 64], EnvelopeError> {
    let text = line.strip_prefix(SIGNATURE_PREFIX.as_bytes()).ok_or(EnvelopeError::Signature)?;
    // The engine takes padding and last bits in their canonical form alone.
    let bytes = STANDARD.decode(text).map_err(|_| EnvelopeError::Signature)?;
    bytes.try_into().map_err(|_| EnvelopeError::Signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::tests::example;

    fn file() -> Vec<u8> {
        let mut file = signed_lines(&example());
        file.extend_from_slice(signature_line(&[0x5a; 64]).as_bytes());
        file.extend_from_slice(b"payload");
        file
    }

    fn read(mut bytes: &[u8]) -> Result<Head, EnvelopeError> {
        Head::read(&mut bytes)
    }

    fn replaced(from: &str, to: &str) -> Result<Head, EnvelopeError> {
        let file = String::from_utf8(file()).unwrap();
        assert!(file.contains(from));
        read(file.replacen(from, to, 1).as_bytes())
    }

    #[test]
    fn what_is_written_is_read_and_the_payload_is_left() {
        let file = file();
        let mut rest = file.as_slice();
        let head = Head::read(&mut rest).unwrap();
        assert_eq!(head.header, example());
        assert_eq!(head.signature, [0x5a; 64]);
        assert_eq!(head.signed, signed_lines(&example()));
        assert!(file.starts_with(&head.signed));
        assert_eq!(rest, b"payload");
        assert!(head.header.payload.check(rest).is_ok());
        assert_eq!(MAGIC.len(), limits::MAGIC_BYTES);
    }

    #[test]
    fn other_files_and_later_versions_are_told_apart() {
        for other in ["", "\n", "hello", "saddlebag card 1\n", "saddlebag bundle \n", "saddlebag bundle x\n"] {
            let error = read(other.as_bytes()).unwrap_err();
            assert!(matches!(error, EnvelopeError::NotABundle | EnvelopeError::Truncated { line: 1 }), "{other:?}");
        }
        assert!(matches!(read(&vec![b'a'; 1 << 20]), Err(EnvelopeError::NotABundle)));
        for version in ["2", "10", "01"] {
            let error = replaced("bundle 1", &format!("bundle {version}")).unwrap_err();
            assert!(matches!(error, EnvelopeError::NewerVersion { version: found } if found == version));
        }
    }

    #[test]
    fn a_cut_at_every_byte_of_the_head_is_refused() {
        let file = file();
        let head = file.len() - b"payload".len();
        for end in 0..head {
            assert!(matches!(read(&file[..end]), Err(EnvelopeError::Truncated { .. })), "{end}");
        }
        assert!(read(&file[..head]).is_ok());
    }

    #[test]
    fn carriage_returns_and_zero_bytes_are_named() {
        assert!(matches!(replaced("bundle 1\n", "bundle 1\r\n"), Err(EnvelopeError::CarriageReturn { line: 1 })));
        assert!(matches!(replaced("}}\n", "}}\r\n"), Err(EnvelopeError::CarriageReturn { line: 2 })));
        assert!(matches!(replaced("==\n", "==\r\n"), Err(EnvelopeError::CarriageReturn { line: 3 })));
        assert!(matches!(replaced("bundle 1\n", "bundle 1\0\n"), Err(EnvelopeError::Nul { line: 1 })));
        assert!(matches!(replaced("\"key\"", "\"k\0y\""), Err(EnvelopeError::Nul { line: 2 })));
    }

    #[test]
    fn lines_one_past_their_length_are_refused() {
        let long = "x".repeat(limits::HEADER_BYTES_MAX);
        let error = read(format!("{MAGIC}\n{long}\n").as_bytes()).unwrap_err();
        assert!(matches!(error, EnvelopeError::TooLong { line: 2, limit: limits::HEADER_BYTES_MAX }));
        let fits = "x".repeat(limits::HEADER_BYTES_MAX - 1);
        assert!(matches!(read(format!("{MAGIC}\n{fits}\n").as_bytes()), Err(EnvelopeError::Header(_))));
        let signature = "A".repeat(limits::SIGNATURE_LINE_BYTES_MAX);
        assert!(matches!(replaced("ed25519:", &signature), Err(EnvelopeError::TooLong { line: 3, .. })));
    }

    #[test]
    fn a_signature_has_one_form() {
        // 64 bytes leave four bits of the last character unused: `g` for 0x5a, `h` would mean the same.
        let line = signature_line(&[0x5a; 64]);
        assert!(line.ends_with("Wg==\n"));
        for (from, to) in [
            ("Wg==", "Wh=="),
            ("Wg==", "Wg="),
            ("Wg==", "Wg"),
            ("Wg==", "Wg== "),
            ("ed25519:", "ED25519:"),
            ("ed25519:", "ed25519: "),
            ("ed25519:", "ed25519:AAAA"),
        ] {
            assert!(matches!(replaced(from, to), Err(EnvelopeError::Signature)), "{to}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_flipped_byte_is_refused_or_in_what_is_signed(at in 0usize..700, bit in 0u8..8) {
            let mut changed = file();
            let head = changed.len() - b"payload".len();
            let at = at % head;
            changed[at] ^= 1 << bit;
            if let Ok(found) = read(&changed) {
                let original = read(&file()).unwrap();
                proptest::prop_assert!(found.signed != original.signed || found.signature != original.signature);
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = read(&bytes);
            let _ = read(&[MAGIC.as_bytes(), b"\n", &bytes].concat());
        }
    }
}
