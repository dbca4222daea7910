//! Lengths in steps, so that the length of a ciphertext says little about what is in it: at least 256 bytes,
//! beyond that the steps of Padmé (Nikitin et al., PURBs, 2019), which add at most 12 per cent.

use zeroize::Zeroizing;

use super::SealError;

/// Longest text that is sealed, in bytes: with the header of 16 recipients it fits an ADU.
pub const PLAIN_BYTES_MAX: usize = 124 * 1024;

/// Bytes in front of the text that say how long it is.
const LENGTH_BYTES: usize = 4;
/// Shortest padded text, in bytes.
const STEP_MIN: usize = 256;

/// Length, text of at most `max` bytes, and zeros.
pub(super) fn padded(plain: &[u8], max: usize) -> Result<Zeroizing<Vec<u8>>, SealError> {
    if plain.len() > max {
        return Err(SealError::TooLong);
    }
    let len = u32::try_from(plain.len()).map_err(|_| SealError::TooLong)?;
    let whole = step(LENGTH_BYTES + plain.len()).min(LENGTH_BYTES + max);
    // Grown once: no copy of the text is left behind.
    let mut padded = Zeroizing::new(Vec::with_capacity(whole));
    padded.extend_from_slice(&len.to_be_bytes());
    padded.extend_from_slice(plain);
    padded.resize(whole, 0);
    Ok(padded)
}

/// The text; `None` if that is not how it was padded: one text has one form.
pub(super) fn unpadded(padded: &[u8], max: usize) -> Option<Zeroizing<Vec<u8>>> {
    let (len, rest) = padded.split_first_chunk::<LENGTH_BYTES>()?;
    let (plain, zeros) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
    let is_canonical = zeros.iter().all(|byte| *byte == 0)
        && plain.len() <= max
        && padded.len() == step(LENGTH_BYTES + plain.len()).min(LENGTH_BYTES + max);
    is_canonical.then(|| Zeroizing::new(plain.to_vec()))
}

/// The next step that is at least `len`.
fn step(len: usize) -> usize {
    if len <= STEP_MIN {
        return STEP_MIN;
    }
    let exponent = len.ilog2();
    let kept = exponent.ilog2() + 1;
    let low = (1_usize << (exponent - kept)) - 1;
    (len + low) & !low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_and_its_length_grows_in_steps() {
        let mut lengths = Vec::new();
        for len in [0, 1, 251, 252, 253, 1000, 4096, 70_000, PLAIN_BYTES_MAX] {
            let plain = vec![7; len];
            let padded = padded(&plain, PLAIN_BYTES_MAX).unwrap();
            assert!(padded.len() >= len + 4 && padded.len() <= (len + 4).max(228) * 113 / 100);
            assert_eq!(unpadded(&padded, PLAIN_BYTES_MAX).as_deref(), Some(&plain));
            lengths.push(padded.len());
        }
        assert_eq!(lengths[..4], [256; 4]);
        assert_eq!(lengths[4], 272);
        assert_eq!(padded(&vec![7; PLAIN_BYTES_MAX + 1], PLAIN_BYTES_MAX).unwrap_err(), SealError::TooLong);
    }

    #[test]
    fn a_second_form_of_one_text_is_refused() {
        let good = padded(b"text", PLAIN_BYTES_MAX).unwrap().to_vec();
        let longer = [good.as_slice(), &[0]].concat();
        let filled = [&good[..255], &[1]].concat();
        let beyond = [&[0, 0, 1, 0], &good[4..]].concat();
        for bad in [&longer, &filled, &beyond, &good[..9].to_vec(), &Vec::new()] {
            assert_eq!(unpadded(bad, PLAIN_BYTES_MAX), None);
        }
    }
}
