//! The only source of chance: numbers from a seed. Whole numbers only, so that every machine throws the same.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Numbers from a seed.
#[derive(Clone, Debug)]
pub struct Dice {
    /// Where they come from.
    numbers: ChaCha8Rng,
}

impl Dice {
    /// The numbers of a seed for one purpose: another purpose of the same seed has others.
    #[must_use]
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut numbers = ChaCha8Rng::seed_from_u64(seed);
        numbers.set_stream(purpose);
        Self { numbers }
    }

    /// A number below `bound`; zero if there is none.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The bias is below 2^-32 for every bound that occurs.
        self.numbers.next_u64().checked_rem(bound).unwrap_or(0)
    }

    /// A number between the two, both included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least.saturating_add(self.below(most.saturating_sub(least).saturating_add(1)))
    }

    /// `middle` or up to `spread` away from it.
    pub fn around(&mut self, middle: u64, spread: u64) -> u64 {
        self.between(middle.saturating_sub(spread), middle.saturating_add(spread))
    }

    /// Whether something happens that does so `per_mille` times of a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of them; `None` if there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let len = u64::try_from(items.len()).expect("a length in memory fits 64 bits");
        items.get(usize::try_from(self.below(len)).expect("an index fits"))
    }

    /// Any bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.numbers.fill_bytes(&mut bytes);
        bytes
    }

    /// Any 32 bytes.
    pub fn secret(&mut self) -> [u8; 32] {
        let mut secret = [0; 32];
        self.numbers.fill_bytes(&mut secret);
        secret
    }
}
