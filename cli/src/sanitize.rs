//! Names and messages that others wrote, made safe to print (THREATS.md, A24 and A37).
//!
//! Invariant: what comes out moves no cursor, changes no colour, begins no line and turns no direction.

use std::borrow::Cow;

/// Stands for each character that was taken out.
const REPLACEMENT: char = '\u{fffd}';

/// `text` without control characters, line ends and invisible characters that change how the rest is shown.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_harmful) {
        Cow::Owned(text.chars().map(|c| if is_harmful(c) { REPLACEMENT } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Zero width; marks, embeddings and isolates of direction (Unicode Annex 9).
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{061c}' | '\u{feff}'
            // Ends of lines and paragraphs; language tags, which nothing shows.
            | '\u{2028}' | '\u{2029}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_of_any_script_stays() {
        for text in ["clinic-07", "Ärztin", "診療所", "मरीज़", "a b"] {
            assert!(matches!(sanitize(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn what_could_trouble_a_terminal_is_replaced() {
        for text in ["\u{1b}[31m", "a\nb", "a\rb", "\u{9b}2J", "x\u{202e}gpj", "a\u{2028}b", "a\u{200b}b", "\u{7f}"] {
            let clean = sanitize(text);
            assert!(clean.contains(REPLACEMENT) && !clean.chars().any(is_harmful), "{text:?}");
        }
        assert_eq!(sanitize("\u{1b}[1mx"), "\u{fffd}[1mx");
    }
}
