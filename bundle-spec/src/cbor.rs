//! The subset of CBOR that bundles use: definite-length heads, read strictly and written in shortest form.
//!
//! The readers of blocks call [`Reader`]; everything that is emitted is written by the functions at the end.
//! Nothing here recurses, and nothing is allocated by a length that was read.

use std::{cell::RefCell, ops::Range};

use bytes::Bytes;

use crate::{
    error::{Error, Lax, Rule},
    validate::{Finding, Severity},
};

/// Major types of RFC 8949 §3.1.
pub(crate) const UNSIGNED: u8 = 0;
pub(crate) const BYTES: u8 = 2;
pub(crate) const TEXT: u8 = 3;
pub(crate) const ARRAY: u8 = 4;
const INDEFINITE: u8 = 31;

/// Decides about violations that have a switch, and remembers them for `validate`.
#[derive(Debug)]
pub(crate) struct Judge {
    lax: Lax,
    findings: Option<RefCell<Vec<Finding>>>,
    /// Whether creation time zero needs an age block.
    needs_age: bool,
}

impl Judge {
    /// Tolerates what `lax` tolerates.
    pub(crate) fn new(lax: Lax) -> Self {
        Self { lax, findings: None, needs_age: true }
    }

    /// Goes on behind every violation that has a switch, and notes it.
    pub(crate) fn recording(lax: Lax) -> Self {
        Self { lax, findings: Some(RefCell::default()), needs_age: true }
    }

    /// For an edit of a header that was accepted: it need not have an age that it had not before.
    pub(crate) fn of_edit(needs_age: bool) -> Self {
        Self { lax: Lax::all(), findings: None, needs_age }
    }

    /// Whether creation time zero needs an age block.
    pub(crate) fn needs_age(&self) -> bool {
        self.needs_age
    }

    /// A violation that has a switch.
    pub(crate) fn tolerate(&self, offset: usize, rule: Rule) -> Result<(), Error> {
        let tolerated = self.lax.tolerates(rule);
        if let Some(findings) = &self.findings {
            let severity = if tolerated { Severity::Notice } else { Severity::Policy };
            findings.borrow_mut().push(Finding { rule, offset, severity });
        } else if !tolerated {
            return Err(Error::new(offset, rule));
        }
        Ok(())
    }

    pub(crate) fn into_findings(self) -> Vec<Finding> {
        self.findings.map(RefCell::into_inner).unwrap_or_default()
    }
}

/// A cursor over `bytes` that stops at `end`.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a Bytes,
    judge: &'a Judge,
    position: usize,
    end: usize,
    /// Where even more input does not help.
    cap: usize,
    /// What it means to go beyond `cap`.
    beyond: Rule,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, of which at most `cap` may be needed.
    pub(crate) fn new(bytes: &'a Bytes, cap: usize, judge: &'a Judge) -> Self {
        Self { bytes, judge, position: 0, end: bytes.len().min(cap), cap, beyond: Rule::HeaderTooLong }
    }

    /// Reads a `range` of `bytes`, of which nothing can be missing; going beyond it breaks `beyond`.
    pub(crate) fn within(bytes: &'a Bytes, range: Range<usize>, beyond: Rule, judge: &'a Judge) -> Self {
        Self { bytes, judge, position: range.start, end: range.end, cap: range.end, beyond }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.position == self.end
    }

    pub(crate) fn judge(&self) -> &'a Judge {
        self.judge
    }

    pub(crate) fn bytes(&self) -> &'a Bytes {
        self.bytes
    }

    /// The next byte, which is not consumed.
    #[inline]
    pub(crate) fn peek(&self) -> Result<u8, Error> {
        if self.position < self.end {
            return Ok(self.bytes[self.position]);
        }
        Err(self.shortage(1))
    }

    /// Consumes `count` bytes.
    #[inline]
    pub(crate) fn take(&mut self, count: u64) -> Result<Range<usize>, Error> {
        let left = self.end - self.position;
        match usize::try_from(count) {
            Ok(count) if count <= left => {
                let range = self.position..self.position + count;
                self.position = range.end;
                Ok(range)
            }
            _ => Err(self.shortage(count)),
        }
    }

    fn shortage(&self, count: u64) -> Error {
        let room = u64::try_from(self.cap - self.position).unwrap_or(u64::MAX);
        if count > room {
            return Error::new(self.position, self.beyond);
        }
        Error::new(self.end, Rule::Truncated)
    }

    /// The major type and argument of the next head.
    #[inline]
    pub(crate) fn head(&mut self) -> Result<(u8, u64), Error> {
        let start = self.position;
        let first = self.peek()?;
        self.position += 1;
        let (major, info) = (first >> 5, first & 0x1f);
        if info < 24 {
            return Ok((major, u64::from(info)));
        }
        self.long_head(start, major, info)
    }

    fn long_head(&mut self, start: usize, major: u8, info: u8) -> Result<(u8, u64), Error> {
        let (width, floor) = match info {
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            INDEFINITE => return Err(Error::new(start, Rule::IndefiniteItem)),
            _ => return Err(Error::new(start, Rule::ReservedHead)),
        };
        let range = self.take(width)?;
        let value = self.bytes[range].iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        if value < floor {
            self.judge.tolerate(start, Rule::LongHead)?;
        }
        Ok((major, value))
    }

    /// The argument of a head that must be of `major`, else `rule` is broken.
    #[inline]
    pub(crate) fn expect(&mut self, major: u8, rule: Rule) -> Result<u64, Error> {
        let start = self.position;
        match self.head()? {
            (found, value) if found == major => Ok(value),
            _ => Err(Error::new(start, rule)),
        }
    }

    #[inline]
    pub(crate) fn unsigned(&mut self) -> Result<u64, Error> {
        self.expect(UNSIGNED, Rule::NotAnInteger)
    }

    #[inline]
    pub(crate) fn array(&mut self) -> Result<u64, Error> {
        self.expect(ARRAY, Rule::NotAnArray)
    }
}

/// Appends a head in shortest form.
pub(crate) fn put_head(out: &mut Vec<u8>, major: u8, value: u64) {
    let major = major << 5;
    let bytes = value.to_be_bytes();
    match value {
        0..24 => out.push(major | bytes[7]),
        24..0x100 => out.extend_from_slice(&[major | 24, bytes[7]]),
        0x100..0x1_0000 => out.extend_from_slice(&[major | 25, bytes[6], bytes[7]]),
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&bytes);
        }
    }
}

/// Appends an unsigned integer.
pub(crate) fn put_unsigned(out: &mut Vec<u8>, value: u64) {
    put_head(out, UNSIGNED, value);
}

/// Appends a byte string.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_head(out, BYTES, len_of(bytes));
    out.extend_from_slice(bytes);
}

/// The length of `bytes` as a wire number.
pub(crate) fn len_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("a length in memory fits 64 bits")
}
