//! Numbers as people read them.

/// `12 s`.
pub(crate) fn seconds(value: f64) -> String {
    format!("{} s", plain(value))
}

/// `250 ms`, `2.5 s`.
pub(crate) fn millis(value: f64) -> String {
    if value >= 1000.0 { seconds(value / 1000.0) } else { format!("{} ms", plain(value)) }
}

/// `99.5 %`.
pub(crate) fn percent(share: f64) -> String {
    let value = share * 100.0;
    // What is not all must not look like it.
    if (10.0..100.0).contains(&value) {
        let cut = (value * 100.0).floor() / 100.0;
        return format!("{} %", trimmed(&format!("{cut:.2}")));
    }
    format!("{} %", plain(value))
}

/// `1.5 MB`.
pub(crate) fn bytes(value: f64) -> String {
    for (unit, name) in [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")] {
        if value >= unit {
            return format!("{} {name}", plain(value / unit));
        }
    }
    format!("{} B", plain(value))
}

/// `1.5 MB/s`.
pub(crate) fn bytes_per_second(value: f64) -> String {
    format!("{}/s", bytes(value))
}

/// `150/s`.
pub(crate) fn per_second(value: f64) -> String {
    format!("{}/s", plain(value))
}

/// Three digits, and no more than are needed; thousands apart.
pub(crate) fn plain(value: f64) -> String {
    let decimals = match value.abs() {
        big if big >= 100.0 => 0,
        middle if middle >= 10.0 => 1,
        small if small >= 1.0 => 2,
        0.0 => 0,
        tenth if tenth >= 0.1 => 3,
        hundredth if hundredth >= 0.01 => 4,
        tiny if tiny >= 0.001 => 5,
        _ => 6,
    };
    let text = format!("{value:.decimals$}");
    let text = trimmed(&text);
    if text == "-0" { "0".to_owned() } else { group(text) }
}

/// Without zeros that say nothing.
fn trimmed(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// A name that fits.
pub(crate) fn shorten(name: &str, chars_max: usize) -> String {
    if name.chars().count() <= chars_max {
        return name.to_owned();
    }
    let kept: String = name.chars().take(chars_max.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// `1 234 567`, with spaces that do not break.
fn group(number: &str) -> String {
    let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut grouped = String::from(sign);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && digits.len() > 4 {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    if !rest.is_empty() {
        grouped.push('.');
        grouped.push_str(rest);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0001 * 0.0, "0"),
            (0.25, "0.25"),
            (1.0, "1"),
            (12.345, "12.3"),
            (1234.5, "1234"),
            (1_234_567.0, "1\u{202f}234\u{202f}567"),
            (-60.0, "-60"),
        ] {
            assert_eq!(plain(value), text);
        }
        assert_eq!(millis(1500.0), "1.5 s");
        assert_eq!(bytes(1_500_000.0), "1.5 MB");
    }

    #[test]
    fn nearly_all_is_not_all() {
        assert_eq!(percent(0.999_999), "99.99 %");
        assert_eq!(percent(1.0), "100 %");
    }
}
