//! Sizes and durations as people type them. Called by whatever reads settings or arguments; knows no keys.

use std::time::Duration;

/// Units of size with their bytes. Longer names come first, so that `MB` is not read as `B`.
const SIZES: [(&str, u64); 13] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("k", 1_000),
    ("B", 1),
];
/// Units of time with their milliseconds.
const TIMES: [(&str, u64); 6] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

/// Why a text is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a size.
    #[error("`{0}` is not a size; write it as `64KiB`, `10MB` or `2GB`")]
    Size(String),
    /// Not a duration.
    #[error("`{0}` is not a duration; write it as `30s`, `5m`, `3h` or `2d`")]
    Duration(String),
}

/// Reads a size in bytes: a number, perhaps with a fraction, and a unit; a bare number is bytes.
///
/// # Errors
/// `Size`.
pub fn size(text: &str) -> Result<u64, QuantityError> {
    let wrong = || QuantityError::Size(text.to_owned());
    let trimmed = text.trim();
    if let Ok(bytes) = trimmed.parse() {
        return Ok(bytes);
    }
    scaled(trimmed, &SIZES).ok_or_else(wrong)
}

/// Reads a duration: a number, perhaps with a fraction, and a unit; several may follow one another (`1h30m`).
///
/// # Errors
/// `Duration`.
pub fn duration(text: &str) -> Result<Duration, QuantityError> {
    let wrong = || QuantityError::Duration(text.to_owned());
    let mut rest = text.trim();
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let unit = rest.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
        let end = rest[unit..].find(|c: char| !c.is_ascii_alphabetic()).map_or(rest.len(), |len| unit + len);
        let part = scaled(&rest[..end], &TIMES).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = rest[end..].trim_start();
    }
    if total == 0 && !text.contains('0') {
        return Err(wrong());
    }
    Ok(Duration::from_millis(total))
}

/// A size for people: binary units, one decimal.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (name, unit) in UNITS {
        if bytes >= unit {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} B")
}

/// So many of something, for people: `1 bundle`, `2 bundles`.
#[must_use]
pub fn show_count(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// A size as it can be typed: in the largest decimal unit that leaves no remainder.
#[must_use]
pub fn exact_size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] =
        [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    let unit = UNITS.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{bytes}B"), |(name, unit)| format!("{}{name}", bytes / unit))
}

/// A duration for people and for the configuration: its largest fitting unit.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let unit = TIMES.iter().rev().skip(1).find(|(_, unit)| ms >= *unit && ms.is_multiple_of(*unit));
    match unit {
        Some((name, unit)) => format!("{}{name}", ms / unit),
        None => format!("{ms}ms"),
    }
}

/// `number unit` in thousandths, so that fractions need no floating point.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (unit, factor) = units.iter().find(|(unit, _)| text.ends_with(unit))?;
    let number = text[..text.len() - unit.len()].trim();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 3 {
        return None;
    }
    let thousandths: u64 = format!("{fraction:0<3}").parse().ok()?;
    let whole: u64 = whole.parse().ok()?;
    let bytes =
        u128::from(whole) * u128::from(*factor) + u128::from(thousandths) * u128::from(*factor) / 1000;
    u64::try_from(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_something_is_not_several() {
        let shown = [0, 1, 2].map(|count| show_count(count, "bundle"));
        assert_eq!(shown, ["0 bundles", "1 bundle", "2 bundles"]);
    }

    #[test]
    fn sizes_are_read_in_decimal_and_binary_units() {
        for (text, bytes) in [
            ("64KiB", 65_536),
            ("10MB", 10_000_000),
            ("200 GB", 200_000_000_000),
            ("1.5GiB", 1_610_612_736),
            ("7", 7),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "-1MB", "1.2345MB", "ten", "99999999999999TiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_read_with_their_unit() {
        for (text, ms) in
            [("30s", 30_000), ("5m", 300_000), ("3h", 10_800_000), ("2d", 172_800_000), ("1h30m", 5_400_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "30", "s", "5 fortnights", "-3s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn quantities_are_shown_as_they_can_be_typed() {
        assert_eq!(show_duration(Duration::from_secs(300)), "5m");
        assert_eq!(show_duration(Duration::from_millis(1500)), "1500ms");
        assert_eq!(show_size(65_536), "64.0 KiB");
        assert_eq!(show_size(12), "12 B");
        for (bytes, text) in [(1_000_000_000, "1GB"), (1_500_000, "1500kB"), (1001, "1001B"), (0, "0B")] {
            assert_eq!((exact_size(bytes).as_str(), size(text)), (text, Ok(bytes)));
        }
    }
}
