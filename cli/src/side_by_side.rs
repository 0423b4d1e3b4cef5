//! Two texts beside each other, whole, on a terminal of 80 columns.

use crate::layout::{WIDTH, columns};
use crate::sanitize::sanitize;

/// What a row is about, the first column.
const LABEL: usize = 9;
/// Between two columns.
const GAP: &str = "  ";

/// The lines of one row: a label, and two texts, each broken within its own half.
pub(crate) fn lines(label: &str, left: &str, right: &str) -> Vec<String> {
    let half = (WIDTH - LABEL - 2 * GAP.len()) / 2;
    let (left, right) = (broken(&sanitize(left), half), broken(&sanitize(right), half));
    let part = |lines: &[String], at: usize| lines.get(at).cloned().unwrap_or_default();
    let row = |at: usize| {
        let label = if at == 0 { label } else { "" };
        let (left, right) = (part(&left, at), part(&right, at));
        format!("{label:<LABEL$}{GAP}{left:<half$}{GAP}{right}").trim_end().to_owned()
    };
    (0..left.len().max(right.len())).map(row).collect()
}

/// `text` in lines of at most `width` columns, broken between words where there are any.
fn broken(text: &str, width: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        if !line.is_empty() && columns(&line) + 1 + columns(word) > width {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if columns(&line) == width {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_whole_and_end_before_the_edge() {
        let (left, right) = ("word ".repeat(30), "x".repeat(100));
        let lines = lines("value", left.trim_end(), &right);
        assert!(lines.iter().all(|line| columns(line) <= WIDTH), "{lines:#?}");
        assert!(lines[0].starts_with("value  "));
        let all: String = lines.concat();
        assert_eq!(all.matches("word").count(), 30);
        assert_eq!(all.matches('x').count(), 100);
    }

    #[test]
    fn short_ones_take_a_line() {
        assert_eq!(lines("by", "hilltop", "riverside").len(), 1);
        assert_eq!(lines("by", "", "").len(), 1);
    }
}
