//! Values as people write them: `20s`, `10..50ms`, `0.05`.

use std::{fmt, str::FromStr, time::Duration};

/// Longest duration that can be asked for.
const DURATION_MAX: Duration = Duration::from_secs(24 * 3600);
/// Longest latency: connections give up after about this.
const LATENCY_MAX: Duration = Duration::from_secs(5);
/// Highest rate.
const RATE_MAX: f64 = 1000.0;
/// Highest loss at which a link is still a link.
const LOSS_MAX: f64 = 0.9;

/// A range of latencies: `10..50ms`, `1ms..2s` or `20ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Latency {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

impl FromStr for Latency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (min, max) = text.split_once("..").unwrap_or((text, text));
        let unit = max.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let bare = min.chars().all(|c| c.is_ascii_digit());
        let min = if bare { format!("{min}{unit}") } else { min.to_owned() };
        let parse = |text: &str| {
            humantime::parse_duration(text)
                .map_err(|error| format!("{error}; write it as 10..50ms, 1ms..2s or 20ms"))
        };
        let (min, max) = (parse(&min)?, parse(max)?);
        if min > max || max > LATENCY_MAX || max.is_zero() {
            return Err(format!("the latency must rise, and end between 1ns and {LATENCY_MAX:?}"));
        }
        Ok(Self { min, max })
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |duration| humantime::format_duration(duration).to_string().replace(' ', "");
        write!(f, "{}..{}", text(self.min), text(self.max))
    }
}

/// `20s`, `1m30s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write it as 20s or 1m30s"))?;
    if duration.is_zero() || duration > DURATION_MAX {
        return Err("it must be more than nothing and at most a day".to_owned());
    }
    Ok(duration)
}

/// Messages per second.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    number(text, 0.01, RATE_MAX)
}

/// A probability of loss.
pub(crate) fn loss(text: &str) -> Result<f64, String> {
    number(text, 0.0, LOSS_MAX)
}

fn number(text: &str, min: f64, max: f64) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if (min..=max).contains(&number) {
        Ok(number)
    } else {
        Err(format!("it must be from {min} to {max}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn latencies_are_ranges_whose_first_number_may_borrow_the_unit() {
        for (text, min, max) in [
            ("10..50ms", 10 * MS, 50 * MS),
            ("1ms..2s", MS, 2000 * MS),
            ("20ms", 20 * MS, 20 * MS),
            ("0..1ms", Duration::ZERO, MS),
        ] {
            let latency: Latency = text.parse().unwrap();
            assert_eq!(latency, Latency { min, max }, "{text}");
            assert_eq!(latency.to_string().parse::<Latency>(), Ok(latency), "{text}");
        }
        for text in ["", "fast", "50..10ms", "10..50", "1ms..1h", "-5..5ms"] {
            assert!(text.parse::<Latency>().is_err(), "{text}");
        }
    }

    #[test]
    fn absurd_numbers_are_refused() {
        assert_eq!(rate("2.5"), Ok(2.5));
        for text in ["0", "-1", "NaN", "inf", "1e9", "many"] {
            assert!(rate(text).is_err(), "{text}");
        }
        assert_eq!(loss("0.05"), Ok(0.05));
        assert!(loss("1").is_err());
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        for text in ["0s", "20", "2days", "soon"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
