//! Random numbers that were brought along: as many as are needed, all from 32 secret bytes.

use std::convert::Infallible;

use hpke::rand_core::{TryCryptoRng, TryRng};
use zeroize::{Zeroize, Zeroizing};

use super::{BlockKey, Content};

/// 32 secret random bytes, for one sealing: used twice, they would give two envelopes the same keys.
pub struct Entropy(pub [u8; 32]);

/// Numbers that follow from an [`Entropy`].
pub(crate) struct Draw {
    output: blake3::OutputReader,
}

impl Drop for Entropy {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Entropy {
    /// For the blocks that the job or result will link to that is sealed with it.
    #[must_use]
    pub fn blocks(&self) -> BlockKey {
        self.draw().content().blocks()
    }

    /// The numbers.
    pub(crate) fn draw(&self) -> Draw {
        let mut hasher = blake3::Hasher::new_derive_key("pannier sealing 1 entropy");
        hasher.update(&self.0);
        Draw { output: hasher.finalize_xof() }
    }
}

impl Draw {
    /// The secret of the content: always what is drawn first.
    pub(crate) fn content(&mut self) -> Content {
        let mut secret = Zeroizing::new([0; 32]);
        self.output.fill(secret.as_mut_slice());
        Content(secret)
    }
}

impl TryRng for Draw {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.output.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.output.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.output.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Draw {}
