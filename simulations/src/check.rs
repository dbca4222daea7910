//! Properties that hold in every world. One file each; the world tells every check everything and stops at
//! the first violation.

mod delivery;
mod integrity;
mod no_second_run;
mod one_result;
mod parcels;
mod progress;
mod quota;

use crate::{event::WorldEvent, host::Host, reference::Reference};

/// A property.
pub trait Check {
    /// What it is called in reports.
    fn name(&self) -> &'static str;

    /// Something has happened.
    ///
    /// # Errors
    /// What is wrong with it.
    fn observe(&mut self, now: u64, event: &WorldEvent, view: &WorldView<'_>) -> Result<(), Violation>;

    /// The world has come to its end, after a calm phase.
    ///
    /// # Errors
    /// What should have happened and has not.
    fn finish(&mut self, view: &WorldView<'_>) -> Result<(), Violation>;
}

/// What checks see of a world.
#[derive(Clone, Copy)]
pub struct WorldView<'a> {
    /// The time.
    pub now: u64,
    /// Everybody.
    pub hosts: &'a [Host],
    /// What should be true.
    pub reference: &'a Reference,
}

/// A property does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// At which host, if at one.
    pub host: Option<usize>,
    /// What is wrong, in words.
    pub what: String,
}

impl Violation {
    /// Something is wrong at a host.
    pub fn at(host: usize, what: impl Into<String>) -> Self {
        Self { host: Some(host), what: what.into() }
    }
}

/// Every check.
#[must_use]
pub fn all() -> Vec<Box<dyn Check>> {
    vec![
        Box::<integrity::Integrity>::default(),
        Box::<no_second_run::NoSecondRun>::default(),
        Box::<one_result::OneResult>::default(),
        Box::<delivery::Delivery>::default(),
        Box::<parcels::Parcels>::default(),
        Box::<quota::Quota>::default(),
        Box::<progress::Progress>::default(),
    ]
}
