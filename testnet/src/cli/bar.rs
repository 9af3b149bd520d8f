//! The bar that shows how far long work is.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on stderr, if that is a terminal; nothing else is written there by it. Without a length, whoever moves it sets one.
pub(crate) fn bar(length: Option<usize>, template: &str) -> ProgressBar {
    let length = length.map(|length| length as u64);
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr_with_hz(2));
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
