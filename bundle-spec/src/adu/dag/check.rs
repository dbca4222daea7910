//! Checks that bytes are one item of deterministic CBOR. [`super::Fields::read_any`] calls [`skip`] on the
//! whole before anything is looked at; after that it serves to step from item to item.

use super::{DEPTH_MAX, FALSE, FLOAT, LINK, MAP, NEGATIVE, NULL, SIMPLE, TAG, TRUE};
use crate::cbor::{ARRAY, BYTES, TEXT, UNSIGNED};

/// Major type, argument and length of the head at `at`, or where it goes wrong.
pub(super) fn head(bytes: &[u8], at: usize) -> Result<(u8, u64, usize), usize> {
    let first = *bytes.get(at).ok_or(at)?;
    let (major, info) = (first >> 5, first & 0x1f);
    let (width, floor) = match info {
        0..24 => return Ok((major, u64::from(info), 1)),
        24 => (1, 24),
        25 => (2, 1 << 8),
        26 => (4, 1 << 16),
        27 => (8, 1 << 32),
        _ => return Err(at),
    };
    let argument = bytes.get(at + 1..at + 1 + width).ok_or(bytes.len())?;
    let value = argument.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    if major != SIMPLE && value < floor {
        return Err(at);
    }
    Ok((major, value, 1 + width))
}

/// Where the item at `at` ends, or where it goes wrong. `depth` levels are around it.
pub(super) fn skip(bytes: &[u8], at: usize, depth: usize) -> Result<usize, usize> {
    let (major, value, len) = head(bytes, at)?;
    let body = at + len;
    if matches!(major, ARRAY | MAP) && depth == DEPTH_MAX {
        return Err(at);
    }
    match major {
        UNSIGNED | NEGATIVE => Ok(body),
        BYTES => string_end(bytes, body, value),
        TEXT => {
            let end = string_end(bytes, body, value)?;
            std::str::from_utf8(&bytes[body..end]).map_err(|error| body + error.valid_up_to())?;
            Ok(end)
        }
        ARRAY => (0..value).try_fold(body, |next, _| skip(bytes, next, depth + 1)),
        MAP => skip_map(bytes, body, value, depth),
        TAG => skip_link(bytes, at, body, value),
        _ => match bytes[at] {
            FALSE | TRUE | NULL => Ok(body),
            FLOAT => {
                let float = f64::from_bits(value);
                let is_plain = float.is_finite() && value != (-0.0_f64).to_bits();
                if is_plain { Ok(body) } else { Err(at) }
            }
            _ => Err(at),
        },
    }
}

fn string_end(bytes: &[u8], body: usize, len: u64) -> Result<usize, usize> {
    let left = bytes.len() - body;
    usize::try_from(len).ok().filter(|len| *len <= left).map(|len| body + len).ok_or(bytes.len())
}

/// Keys are text and ascend by length, then bytewise.
fn skip_map(bytes: &[u8], body: usize, count: u64, depth: usize) -> Result<usize, usize> {
    let mut next = body;
    let mut last: Option<&[u8]> = None;
    for _ in 0..count {
        let (major, _, len) = head(bytes, next)?;
        let end = skip(bytes, next, depth + 1)?;
        let key = &bytes[next + len..end];
        let is_ascending = last.is_none_or(|last| (last.len(), last) < (key.len(), key));
        if major != TEXT || !is_ascending {
            return Err(next);
        }
        last = Some(key);
        next = skip(bytes, end, depth + 1)?;
    }
    Ok(next)
}

/// The only tag is that of links: a byte string that begins with zero.
fn skip_link(bytes: &[u8], at: usize, body: usize, tag: u64) -> Result<usize, usize> {
    if tag != LINK {
        return Err(at);
    }
    let (major, len, head_len) = head(bytes, body)?;
    let start = body + head_len;
    let end = string_end(bytes, start, len)?;
    if major != BYTES || bytes[start..end].first() != Some(&0) {
        return Err(body);
    }
    Ok(end)
}
