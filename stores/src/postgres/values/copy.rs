//! The text format of `COPY … FROM STDIN`.

/// Appends one field of a row: tabs between fields and the line's end are the caller's.
pub(in crate::postgres) fn copy_text(into: &mut Vec<u8>, value: Option<&str>) {
    let Some(text) = value else {
        into.extend_from_slice(b"\\N");
        return;
    };
    into.reserve(text.len());
    for byte in text.bytes() {
        match byte {
            b'\\' => into.extend_from_slice(b"\\\\"),
            b'\n' => into.extend_from_slice(b"\\n"),
            b'\r' => into.extend_from_slice(b"\\r"),
            b'\t' => into.extend_from_slice(b"\\t"),
            _ => into.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_fields_and_lines_is_escaped() {
        let mut row = Vec::new();
        for value in [None, Some("\\N"), Some(""), Some("a\tb\r\n\\.")] {
            copy_text(&mut row, value);
            row.push(b'|');
        }
        assert_eq!(String::from_utf8(row).unwrap(), "\\N|\\\\N||a\\tb\\r\\n\\\\.|");
    }
}
