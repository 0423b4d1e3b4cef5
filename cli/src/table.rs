//! A table of words for a terminal.
//!
//! Invariant: no row is wider than 80 columns: the widest column of words gives way first.

use crate::layout::{self, WIDTH, columns};
use crate::sanitize::sanitize;

/// Between two columns.
const GAP: &str = "  ";

/// Which way a column leans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lean {
    /// Words; may be cut.
    Left,
    /// Numbers; never cut.
    Right,
}

/// The rows under their headings, one line each.
pub(crate) fn lines(headings: &[(&str, Lean)], rows: &[Vec<String>]) -> Vec<String> {
    let clean = |row: &Vec<String>| row.iter().map(|cell| sanitize(cell).into_owned()).collect::<Vec<_>>();
    let first = headings.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    let all: Vec<Vec<String>> = std::iter::once(first).chain(rows.iter().map(clean)).collect();
    let leans: Vec<Lean> = headings.iter().map(|(_, lean)| *lean).collect();
    let widths = widths(&leans, &all);
    all.iter().map(|row| line(row, &leans, &widths)).collect()
}

fn widths(leans: &[Lean], rows: &[Vec<String>]) -> Vec<usize> {
    let widest = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| columns(cell)).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..leans.len()).map(widest).collect();
    let room = WIDTH.saturating_sub(GAP.len() * leans.len().saturating_sub(1));
    while widths.iter().sum::<usize>() > room {
        let words = leans.iter().zip(&mut widths).filter(|(lean, _)| **lean == Lean::Left);
        match words.map(|(_, width)| width).max() {
            Some(width) if *width > 1 => *width -= 1,
            _ => break,
        }
    }
    widths
}

fn line(row: &[String], leans: &[Lean], widths: &[usize]) -> String {
    let cell = |((cell, lean), width): ((&String, &Lean), &usize)| match lean {
        Lean::Left => format!("{:<width$}", layout::fit(cell, *width)),
        Lean::Right => format!("{cell:>width$}"),
    };
    let cells: Vec<_> = row.iter().zip(leans).zip(widths).map(cell).collect();
    cells.join(GAP).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [vec!["clinic-07".to_owned(), "5".to_owned()], vec!["x".to_owned(), "1,200".to_owned()]];
        let lines = lines(&[("peer", Lean::Left), ("sent", Lean::Right)], &rows);
        assert_eq!(lines, ["peer        sent", "clinic-07      5", "x          1,200"]);
    }

    #[test]
    fn long_names_give_way_and_numbers_do_not() {
        let rows = [vec!["n".repeat(90), "i".repeat(30), "123456".to_owned()]];
        let lines = lines(&[("a", Lean::Left), ("b", Lean::Left), ("c", Lean::Right)], &rows);
        assert!(lines.iter().all(|line| columns(line) <= WIDTH));
        assert!(lines[1].ends_with("123456") && lines[1].contains('…') && lines[1].contains(&"i".repeat(30)));
    }

    #[test]
    fn a_hostile_name_cannot_break_out_of_its_row() {
        let lines = lines(&[("a", Lean::Left)], &[vec!["x\n\u{1b}[2J".to_owned()]]);
        assert_eq!(lines.len(), 2);
        assert!(!lines[1].contains('\u{1b}'));
    }
}
