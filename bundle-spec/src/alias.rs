//! SHA-256 aliases: the name that a file has wherever people get it. `model add` notes it in the manifest,
//! jobs may ask for a model by it. Nothing is stored or verified under it: that is what CIDs are for.

use std::{fmt, str::FromStr};

/// The SHA-256 of a file. Its text form is `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alias([u8; 32]);

/// Why text is no [`Alias`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AliasError {
    /// It does not begin as one.
    #[error("an alias begins with `sha256:`")]
    Prefix,
    /// What follows is not a SHA-256.
    #[error("`sha256:` goes before exactly 64 hexadecimal digits")]
    Digits,
}

impl Alias {
    /// How the text form begins.
    pub const PREFIX: &'static str = "sha256:";

    /// The alias with this SHA-256.
    #[must_use]
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digits alone, in lower case.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads the digits alone, in either case.
    ///
    /// # Errors
    /// `Digits`.
    pub fn from_hex(digits: &str) -> Result<Self, AliasError> {
        if digits.len() != 64 {
            return Err(AliasError::Digits);
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Self(digest))
    }
}

fn nibble(digit: u8) -> Result<u8, AliasError> {
    let value = char::from(digit).to_digit(16).ok_or(AliasError::Digits)?;
    u8::try_from(value).map_err(|_| AliasError::Digits)
}

impl FromStr for Alias {
    type Err = AliasError;

    fn from_str(text: &str) -> Result<Self, AliasError> {
        Self::from_hex(text.strip_prefix(Self::PREFIX).ok_or(AliasError::Prefix)?)
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.hex())
    }
}

impl fmt::Debug for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_reads_back_from_its_text_in_either_case() {
        let alias = Alias::new(std::array::from_fn(|at| u8::try_from(at * 8 + 3).unwrap()));
        let text = alias.to_string();
        assert!(text.starts_with("sha256:030b13"), "{text}");
        assert_eq!(text.parse::<Alias>(), Ok(alias));
        assert_eq!(format!("sha256:{}", alias.hex().to_uppercase()).parse::<Alias>(), Ok(alias));
    }

    #[test]
    fn other_text_is_no_alias() {
        let digits = "0".repeat(64);
        assert_eq!(digits.parse::<Alias>(), Err(AliasError::Prefix));
        assert_eq!(format!("sha512:{digits}").parse::<Alias>(), Err(AliasError::Prefix));
        for wrong in ["", "0", &digits[1..], &format!("{digits}0"), &format!("{}g", &digits[1..])] {
            assert_eq!(format!("sha256:{wrong}").parse::<Alias>(), Err(AliasError::Digits), "{wrong}");
        }
        assert_eq!(Alias::from_hex(&"é".repeat(32)), Err(AliasError::Digits));
    }
}
