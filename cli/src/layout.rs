//! Text laid out for a terminal of 80 columns.
//!
//! Invariant: no line is wider than [`WIDTH`], unless a single word is: paths and commands stay whole.

/// Columns that every terminal has.
pub const WIDTH: usize = 80;

/// `text` in lines of at most [`WIDTH`] columns, the first begun with `first`, the others with `rest`.
pub fn wrap(text: &str, first: &str, rest: &str) -> String {
    let mut lines = String::new();
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in words(text) {
        if !is_empty && columns(&line) + 1 + columns(&word) > WIDTH {
            lines.push_str(line.trim_end());
            lines.push('\n');
            rest.clone_into(&mut line);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(&word);
        is_empty = false;
    }
    lines.push_str(line.trim_end());
    lines.push('\n');
    lines
}

/// The words; what stands between backticks is one, if it is short: a command to type.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match words.last_mut() {
            Some(open) if open.matches('`').count() % 2 == 1 && columns(open) + columns(word) < WIDTH / 2 => {
                open.push(' ');
                open.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// Columns that `text` takes, counted in characters.
pub fn columns(text: &str) -> usize {
    text.chars().count()
}

/// `text` in at most `width` columns, cut with an ellipsis where it is longer.
pub fn fit(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// `1 change`, `14 changes`, `230,000 changes`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// The number with commas between thousands.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size as people say it: `812 bytes`, `4.1 KB`, `1.0 GB`; 1 KB is 1,000 bytes.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return count(bytes, "byte", "bytes");
    }
    // In tenths of a unit, rounded, so that no float is needed: 999,950 bytes are 1.0 MB.
    let mut tenths = bytes / 100 + u64::from(bytes % 100 >= 50);
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths = (tenths + 500) / 1000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_before_the_edge_and_words_stay_whole() {
        let text = "word ".repeat(60);
        let wrapped = wrap(&text, "hint: ", "      ");
        assert!(wrapped.lines().all(|line| columns(line) <= WIDTH));
        assert!(wrapped.lines().any(|line| columns(line) > WIDTH - 5));
        assert!(wrapped.lines().skip(1).all(|line| line.starts_with("      word")));
        let long = "x".repeat(100);
        assert_eq!(wrap(&format!("a {long} b"), "", "  "), format!("a\n  {long}\n  b\n"));
        assert_eq!(wrap("", "# ", "# "), "#\n");
    }

    #[test]
    fn a_command_is_not_broken_unless_it_is_long() {
        let wrapped = wrap(&format!("{} `saddlebag join ministry.card` now", "x".repeat(70)), "", "");
        assert!(wrapped.contains("\n`saddlebag join ministry.card` now\n"));
        let open = wrap(&format!("`{}", "word ".repeat(60)), "", "");
        assert!(open.lines().all(|line| columns(line) <= WIDTH));
    }

    #[test]
    fn eighty_columns_are_a_line_and_eighty_one_are_two() {
        let fits = format!("{} {}", "a".repeat(39), "b".repeat(40));
        assert_eq!(wrap(&fits, "", "").lines().count(), 1);
        assert_eq!(wrap(&format!("{fits}b"), "", "").lines().count(), 2);
    }

    #[test]
    fn numbers_and_sizes_read_as_people_say_them() {
        assert_eq!(count(1, "change", "changes"), "1 change");
        assert_eq!(count(0, "change", "changes"), "0 changes");
        let all: Vec<_> = [999, 1000, 1_234_567].into_iter().map(thousands).collect();
        assert_eq!(all, ["999", "1,000", "1,234,567"]);
        let sizes = [1, 999, 1000, 4_149, 4_150, 999_949, 999_950, 1 << 30, u64::MAX].map(size);
        let expected = ["1 byte", "999 bytes", "1.0 KB", "4.1 KB", "4.2 KB", "999.9 KB", "1.0 MB", "1.1 GB"];
        assert_eq!(sizes[..8], expected);
        assert!(sizes[8].ends_with(" TB"));
    }

    #[test]
    fn what_is_too_long_is_cut() {
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abcd", 3), "ab…");
    }
}
