//! Bundle security through the front door: what RFC 9172 wants, case by case.

#[cfg(test)]
mod security {
    pub mod bundles;
    mod checks;
    mod fuzz;
    mod keys;
    mod patterns;
    mod pics;
    mod policies;
    mod roundtrip;
}
