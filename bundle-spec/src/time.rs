//! DTN time and creation timestamps (RFC 9171 §4.2.6, §4.2.7).
//!
//! Numbers only: nothing here reads a clock.

use std::fmt;

use crate::{
    cbor::{ARRAY, Reader, put_head, put_unsigned},
    error::{Error, Rule},
};

/// Milliseconds since 2000-01-01T00:00:00Z; zero means unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DtnTime(pub u64);

impl DtnTime {
    /// The time of a source without a clock.
    pub const UNKNOWN: Self = Self(0);
    /// 2000-01-01T00:00:00Z in milliseconds since 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH_OFFSET_MS: u64 = 946_684_800_000;

    /// The DTN time at `unix_ms` milliseconds since 1970; `None` before 2000.
    #[must_use]
    pub const fn from_unix_ms(unix_ms: u64) -> Option<Self> {
        match unix_ms.checked_sub(Self::UNIX_EPOCH_OFFSET_MS) {
            Some(ms) => Some(Self(ms)),
            None => None,
        }
    }

    /// Milliseconds since 1970, at most `u64::MAX`.
    #[must_use]
    pub const fn to_unix_ms(self) -> u64 {
        self.0.saturating_add(Self::UNIX_EPOCH_OFFSET_MS)
    }

    /// Whether the source had no clock.
    #[must_use]
    pub const fn is_unknown(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for DtnTime {
    /// UTC as in RFC 3339 with milliseconds, or `unknown`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_unknown() {
            return formatter.write_str("unknown");
        }
        let (seconds, ms) = (self.0 / 1000, self.0 % 1000);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(formatter, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

/// Year, month and day, `days` after 2000-01-01, in the proleptic Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    // Years begin in March, so that leap days come last; 2000-03-01 is 60 days after 2000-01-01.
    let shifted = days + 146_097 - 60;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (1600 + era * 400 + year + carry, month, day_of_month)
}

/// When and as which of its time a bundle was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CreationTimestamp {
    /// When; zero where the source has no clock.
    pub time: DtnTime,
    /// Which of the bundles created at that time.
    pub sequence: u64,
}

impl CreationTimestamp {
    #[inline]
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        if reader.expect(ARRAY, Rule::TimestampShape)? != 2 {
            return Err(Error::new(start, Rule::TimestampShape));
        }
        let time = DtnTime(reader.unsigned()?);
        let sequence = reader.unsigned()?;
        Ok(Self { time, sequence })
    }

    pub(crate) fn put(self, out: &mut Vec<u8>) {
        put_head(out, ARRAY, 2);
        put_unsigned(out, self.time.0);
        put_unsigned(out, self.sequence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dtn_time_is_shown_as_utc() {
        assert_eq!(DtnTime(0).to_string(), "unknown");
        assert_eq!(DtnTime(1).to_string(), "2000-01-01T00:00:00.001Z");
        assert_eq!(DtnTime(59 * 86_400_000).to_string(), "2000-02-29T00:00:00.000Z");
        assert_eq!(DtnTime(366 * 86_400_000).to_string(), "2001-01-01T00:00:00.000Z");
        let leap = DtnTime::from_unix_ms(1_709_210_096_789).unwrap();
        assert_eq!(leap.to_string(), "2024-02-29T12:34:56.789Z");
        assert!(DtnTime(u64::MAX).to_string().ends_with('Z'));
    }

    #[test]
    fn times_before_2000_have_no_dtn_time() {
        assert_eq!(DtnTime::from_unix_ms(DtnTime::UNIX_EPOCH_OFFSET_MS - 1), None);
        assert_eq!(DtnTime::from_unix_ms(DtnTime::UNIX_EPOCH_OFFSET_MS), Some(DtnTime(0)));
    }
}
