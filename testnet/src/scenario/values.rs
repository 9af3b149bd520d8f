//! Values as people write them: `20s`, `10..50ms`, `0.05`, `100MB/s`.

use std::{fmt, ops::Range, str::FromStr, time::Duration};

use crate::world::Latency as Distribution;

/// Longest duration that can be asked for.
const DURATION_MAX: Duration = Duration::from_secs(24 * 3600);
/// Longest latency: connections give up after about this.
const LATENCY_MAX: Duration = Duration::from_secs(5);
/// Highest rate.
const RATE_MAX: f64 = 1000.0;
/// Highest loss at which a link is still a link.
pub(crate) const LOSS_MAX: f64 = 0.9;
/// The largest skew of a clock.
const SKEW_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// Units of bandwidth and the bytes of each.
const UNITS: [(&str, f64); 6] = [
    ("GB/s", 1e9),
    ("MiB/s", 1_048_576.0),
    ("MB/s", 1e6),
    ("KiB/s", 1024.0),
    ("KB/s", 1e3),
    ("B/s", 1.0),
];

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
        if min > max || max > LATENCY_MAX {
            return Err(format!("the latency must rise, and end at {LATENCY_MAX:?} at most"));
        }
        Ok(Self { min, max })
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", written(self.min), written(self.max))
    }
}

/// `10ms..50ms`, `normal 40ms 10ms` (mean and deviation) or `lognormal 40ms 0.4` (median and sigma).
pub(crate) fn latency(text: &str) -> Result<Distribution, String> {
    let example = "write it as 10ms..50ms, normal 40ms 10ms or lognormal 40ms 0.4";
    let words: Vec<&str> = text.split_whitespace().collect();
    let length = |text| {
        let length =
            humantime::parse_duration(text).map_err(|error| format!("{error}; {example}"))?;
        let fits = !length.is_zero() && length <= LATENCY_MAX;
        if fits {
            Ok(length)
        } else {
            Err(format!("a latency is more than nothing and at most {LATENCY_MAX:?}"))
        }
    };
    match words.as_slice() {
        ["normal", mean, dev] => {
            Ok(Distribution::Normal { mean: length(mean)?, dev: length(dev)? })
        }
        ["lognormal", median, sigma] => {
            let sigma = sigma.parse().map_err(|_| example.to_owned())?;
            if !(0.0..=2.0).contains(&sigma) {
                return Err("sigma must be from 0 to 2".to_owned());
            }
            Ok(Distribution::LogNormal { median: length(median)?, sigma })
        }
        [range] => {
            let Latency { min, max } = range.parse()?;
            Ok(Distribution::Uniform { min, max })
        }
        _ => Err(example.to_owned()),
    }
}

/// As [`latency`] reads it.
pub(crate) fn written_latency(latency: Distribution) -> String {
    match latency {
        Distribution::Uniform { min, max } => format!("{}..{}", written(min), written(max)),
        Distribution::Normal { mean, dev } => format!("normal {} {}", written(mean), written(dev)),
        Distribution::LogNormal { median, sigma } => {
            format!("lognormal {} {sigma}", written(median))
        }
    }
}

/// `20s`, `1m30s`; more than nothing.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write it as 20s or 1m30s"))?;
    if duration.is_zero() || duration > DURATION_MAX {
        return Err("it must be more than nothing and at most a day".to_owned());
    }
    Ok(duration)
}

/// `20s`, `0s`; what follows the name of a key in a complaint.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    if text.trim_start().starts_with('-') {
        return Err(format!("must not be negative, as {text} is"));
    }
    let time = humantime::parse_duration(text).map_err(|error| {
        format!("is no length of time ({error}); write it as \"20s\" or \"1m30s\"")
    })?;
    if time > DURATION_MAX {
        return Err("must be at most a day".to_owned());
    }
    Ok(time)
}

/// `5s..15s`: a stretch of time.
pub(crate) fn span(text: &str) -> Result<Range<Duration>, String> {
    let example = "write it as 5s..15s";
    let (start, end) = text.split_once("..").ok_or(example)?;
    let (start, end) = (time(start).map_err(|_| example)?, time(end).map_err(|_| example)?);
    if start < end { Ok(start..end) } else { Err("it must end after it begins".to_owned()) }
}

/// `100MB/s`: bytes in a second.
pub(crate) fn bandwidth(text: &str) -> Result<u64, String> {
    let unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (number, unit) = unit.ok_or("write it as 100MB/s, 64KiB/s or 500B/s")?;
    let number: f64 = number.trim().parse().map_err(|_| format!("{number:?} is not a number"))?;
    let bytes = number * unit;
    if !(1.0..=1e12).contains(&bytes) {
        return Err("it must be from 1B/s to 1000GB/s".to_owned());
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    #[expect(clippy::cast_sign_loss, reason = "the range is checked")]
    Ok(bytes as u64)
}

/// `1h` or `-30s`, in milliseconds.
pub(crate) fn signed_millis(text: &str) -> Result<i64, String> {
    let (sign, length) = text.strip_prefix('-').map_or((1, text), |length| (-1, length));
    let length = humantime::parse_duration(length.trim_start_matches('+'))
        .map_err(|error| format!("{error}; write it as \"1h\" or \"-30s\""))?;
    if length > SKEW_MAX {
        return Err("it must be at most a year".to_owned());
    }
    i64::try_from(length.as_millis()).map(|millis| sign * millis).map_err(|error| error.to_string())
}

/// As [`duration`] reads it: `1m30s`.
pub(crate) fn written(duration: Duration) -> String {
    humantime::format_duration(duration).to_string().replace(' ', "")
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
        assert_eq!(bandwidth("100MB/s"), Ok(100_000_000));
        assert_eq!(bandwidth("64 KiB/s"), Ok(65_536));
        for text in ["100", "fastMB/s", "0B/s", "-1MB/s", "1e9GB/s"] {
            assert!(bandwidth(text).is_err(), "{text}");
        }
        assert_eq!(signed_millis("-1h"), Ok(-3_600_000));
        assert_eq!(signed_millis("2s"), Ok(2000));
        assert!(signed_millis("-9000days").is_err());
        assert!(span("5s..15s").is_ok() && span("5s..5s").is_err() && span("5s").is_err());
        assert!(time("-1s").unwrap_err().contains("negative"));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["10ms..50ms", "normal 40ms 10ms", "lognormal 40ms 0.4"] {
            assert_eq!(written_latency(latency(text).unwrap()), text);
        }
        for text in ["normal 40ms", "lognormal 40ms x", "lognormal 40ms 9", "normal 0s 1ms", ""] {
            assert!(latency(text).is_err(), "{text}");
        }
        for length in [MS, 1500 * MS, Duration::from_secs(90)] {
            assert_eq!(duration(&written(length)), Ok(length));
        }
    }
}
