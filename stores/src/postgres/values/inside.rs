//! Dates and times inside arrays and ranges: none of them may be misread either.

/// What may stand there besides: nulls of arrays, empty ranges.
const WORDS: [&str; 2] = ["null", "empty"];

/// Whether all that stands in the text of an array or range is `good`.
pub(super) fn all(text: &str, good: impl Fn(&str) -> bool) -> bool {
    // The bounds of an array that does not begin at 1: `[0:2]={…}`.
    let content = match text.split_once('=') {
        Some((bounds, content)) if bounds.bytes().all(|byte| b"[]:-+0123456789".contains(&byte)) => content,
        _ => text,
    };
    let tokens = content.split(['{', '}', '[', ']', '(', ')', ',', '"', '\\']).map(str::trim);
    tokens
        .filter(|token| !token.is_empty())
        .all(|token| WORDS.iter().any(|word| word.eq_ignore_ascii_case(token)) || good(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_looked_at() {
        let no_slash = |token: &str| !token.contains('/');
        for good in ["{}", "{1,NULL}", "[0:1]={1,2}", "[1,\"2\")", "{\"[1,2)\",empty}", "{\"[\\\"1\\\",)\"}"] {
            assert!(all(good, no_slash), "{good}");
        }
        for bad in ["{1,2/3}", "[1,\"2/3\")", "{\"[\\\"2/3\\\",)\"}", "2/3", "a/=1"] {
            assert!(!all(bad, no_slash), "{bad}");
        }
    }
}
