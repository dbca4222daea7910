//! STCP, the simple TCP convergence layer of ION and HDTN: every bundle follows its length, four bytes in
//! network order. `stream` does the rest.

use super::{
    address::Road,
    stream::{Framing, NoHead},
};

/// A bundle follows its length.
pub struct Prefix;

impl Framing for Prefix {
    fn road(&self) -> Road {
        Road::Stcp
    }

    fn unit_max(&self) -> u64 {
        u32::MAX.into()
    }

    fn head(&self, len: u64) -> Vec<u8> {
        u32::try_from(len).expect("no unit is longer than it may be").to_be_bytes().to_vec()
    }

    fn read_head(&self, bytes: &[u8]) -> Result<Option<(u64, usize)>, NoHead> {
        Ok(bytes.first_chunk().map(|len| (u32::from_be_bytes(*len).into(), 4)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_reads_back_from_its_head() {
        for len in [0, 1, 255, 65_536, u32::MAX.into()] {
            let head = Prefix.head(len);
            assert_eq!(Prefix.read_head(&head), Ok(Some((len, 4))));
            assert_eq!(Prefix.read_head(&head[..3]), Ok(None));
        }
        assert_eq!(Prefix.head(0x0102_0304), [1, 2, 3, 4]);
    }
}
