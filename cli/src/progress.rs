//! Progress on long work: after 250 ms, and only to a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::layout;
use crate::sanitize::sanitize;

const SHOWN_AFTER: Duration = Duration::from_millis(250);

/// One line on stderr, which goes away when the work ends.
#[derive(Debug)]
pub(crate) struct Progress {
    is_wanted: bool,
    begun: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Work that begins now, and whether somebody looks on.
    pub(crate) fn begin(is_wanted: bool) -> Self {
        Self { is_wanted, begun: Instant::now(), bar: None }
    }

    /// What is being done at the moment.
    pub(crate) fn show(&mut self, text: &str) {
        if !self.is_due() {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let style =
                ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new_spinner().with_style(style)
        });
        // Two columns for the spinner.
        bar.set_message(layout::fit(&sanitize(text), layout::WIDTH - 3));
        bar.tick();
    }

    fn is_due(&self) -> bool {
        self.is_wanted && self.begun.elapsed() >= SHOWN_AFTER
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_for_long_work_in_front_of_a_terminal() {
        assert!(!Progress::begin(true).is_due(), "too early");
        let long_ago = Instant::now().checked_sub(SHOWN_AFTER).expect("the machine is up for longer");
        let since_long = |is_wanted| Progress { is_wanted, begun: long_ago, bar: None };
        assert!(since_long(true).is_due());
        assert!(!since_long(false).is_due(), "nobody looks on");
    }
}
