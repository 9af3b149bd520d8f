//! How what is typed becomes what is meant.

use std::time::Duration;

use forsooth::network::{Policy, Topic};

/// A topic and its policy: `chat=verified` or `news=5/8`.
pub(super) fn parse_topic(text: &str) -> Result<Topic, String> {
    let form = "a topic is NAME=POLICY, such as chat=verified, news=5/8 or news=5/8,settle=2s";
    let (name, policy) = text.split_once('=').ok_or(form)?;
    let policy: Policy = policy.parse().map_err(|error| format!("{form}: {error}"))?;
    Ok(Topic::new(name, policy))
}

/// A time: `500ms`, `30s`, `2m`, `1h`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let form = "a time is a number and ms, s, m or h, such as 500ms or 2m";
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| form)?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(form.to_owned()),
    };
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(|| form.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_topics_are_read_or_refused_with_an_example() {
        let ms = |text| parse_duration(text).map(|duration| duration.as_millis());
        assert_eq!(
            (ms("500ms"), ms("30s"), ms("2m"), ms("1h")),
            (Ok(500), Ok(30_000), Ok(120_000), Ok(3_600_000))
        );
        for bad in
            ["", "5", "s", "-1s", "1.5s", "1 s", "99999999999999999999s", "18446744073709551615h"]
        {
            assert!(parse_duration(bad).unwrap_err().contains("such as 500ms"), "{bad}");
        }
        assert_eq!(parse_topic("chat=verified"), Ok(Topic::new("chat", Policy::Verified)));
        assert_eq!(parse_topic("a/b=5/8"), Ok(Topic::new("a/b", Policy::Vouched { k: 5, n: 8 })));
        for bad in
            ["", "chat", "chat=", "chat=verfied", "chat=5", "chat=5/", "chat=-1/8", "chat=70000/8"]
        {
            assert!(parse_topic(bad).unwrap_err().contains("chat=verified"), "{bad}");
        }
    }
}
