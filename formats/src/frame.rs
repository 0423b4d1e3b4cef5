//! The zstd frame around an archive whose size is not known before its end.

use std::io::{self, Write};

use zstd::stream::write::Encoder;

/// Level 20 and above ask receivers for a larger window than [`crate::limits::ZSTD_WINDOW_LOG_MAX`].
const LEVEL_MAX: i32 = 19;

/// An archive up to this size is compressed whole: zstd then knows its size, asks for no larger a window than is
/// needed, and may take its time.
pub(crate) const WHOLE_BYTES_MAX: usize = 1 << 20;

/// How hard zstd tries: its levels, kept within 1 to 19.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// For an archive of up to 1 MiB.
    pub small: i32,
    /// For a larger one.
    pub large: i32,
}

impl Levels {
    /// One level, whatever the size.
    #[must_use]
    pub fn always(level: i32) -> Self {
        Self { small: level, large: level }
    }
}

/// What is written to it is compressed into one frame.
pub(crate) struct Frame<W: Write> {
    levels: Levels,
    state: State<W>,
}

enum State<W: Write> {
    /// It may still end as a small one.
    Small(Vec<u8>, W),
    Large(Encoder<'static, W>),
    /// An error took the sink away.
    Broken,
}

impl<W: Write> Frame<W> {
    pub(crate) fn new(levels: Levels, sink: W) -> Self {
        Self { levels, state: State::Small(Vec::new(), sink) }
    }

    /// Ends the frame, and gives the sink back.
    pub(crate) fn finish(self) -> io::Result<W> {
        match self.state {
            State::Small(bytes, sink) => {
                let mut encoder = encoder(sink, self.levels.small)?;
                encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
                encoder.write_all(&bytes)?;
                encoder.finish()
            }
            State::Large(encoder) => encoder.finish(),
            State::Broken => Err(broken()),
        }
    }
}

impl<W: Write> Write for Frame<W> {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        let fits = |bytes: &Vec<u8>| bytes.len() + more.len() <= WHOLE_BYTES_MAX;
        match std::mem::replace(&mut self.state, State::Broken) {
            State::Small(mut bytes, sink) if fits(&bytes) => {
                bytes.extend_from_slice(more);
                self.state = State::Small(bytes, sink);
                Ok(more.len())
            }
            State::Small(bytes, sink) => {
                let mut encoder = encoder(sink, self.levels.large)?;
                encoder.write_all(&bytes)?;
                self.state = State::Large(encoder);
                self.write(more)
            }
            State::Large(mut encoder) => {
                let written = encoder.write(more)?;
                self.state = State::Large(encoder);
                Ok(written)
            }
            State::Broken => Err(broken()),
        }
    }

    /// What zstd holds back stays there until the end: a cut in the frame costs bytes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn broken() -> io::Error {
    io::Error::other("the payload could not be written before")
}

/// No checksum: SHA-256 binds the frame already.
fn encoder<W: Write>(sink: W, level: i32) -> io::Result<Encoder<'static, W>> {
    Encoder::new(sink, level.clamp(1, LEVEL_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(pieces: &[&[u8]], levels: Levels) -> Vec<u8> {
        let mut frame = Frame::new(levels, Vec::new());
        pieces.iter().for_each(|piece| frame.write_all(piece).unwrap());
        frame.finish().unwrap()
    }

    fn noise(bytes: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b"abcdefgh"[(state >> 29) as usize]
        };
        (0..bytes).map(|_| byte()).collect()
    }

    /// RFC 8878, 3.1.1.1: the descriptor follows the four bytes of the magic number. One that gives neither a size nor
    /// a single segment leaves its upper three bits zero.
    fn gives_its_size(frame: &[u8]) -> bool {
        frame[4] & 0b1110_0000 != 0
    }

    #[test]
    fn what_is_written_in_pieces_is_the_same_frame() {
        for size in [0, 5, WHOLE_BYTES_MAX, WHOLE_BYTES_MAX + 1, 3 * WHOLE_BYTES_MAX] {
            let bytes = noise(size);
            let whole = framed(&[&bytes], Levels::always(3));
            assert_eq!(zstd::decode_all(whole.as_slice()).unwrap(), bytes, "{size}");
            assert_eq!(gives_its_size(&whole), size <= WHOLE_BYTES_MAX, "{size}");
            let pieces: Vec<&[u8]> = bytes.chunks(70_001).collect();
            assert_eq!(zstd::decode_all(framed(&pieces, Levels::always(3)).as_slice()).unwrap(), bytes);
        }
    }

    #[test]
    fn the_level_depends_on_the_size_alone() {
        let levels = Levels { small: 19, large: 1 };
        let small = noise(WHOLE_BYTES_MAX);
        assert_eq!(framed(&[&small], levels), framed(&[&small], Levels::always(19)));
        let large = noise(WHOLE_BYTES_MAX + 1);
        assert_eq!(framed(&[&large], levels), framed(&[&large], Levels::always(1)));
    }

    #[test]
    fn a_sink_that_fails_once_makes_no_frame() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut frame = Frame::new(Levels::always(1), Full);
        assert!(noise(8 << 20).chunks(1 << 20).any(|piece| frame.write_all(piece).is_err()));
        assert!(frame.finish().is_err());
    }
}
