//! Everything that may happen to a world besides what its hosts do: the alphabet of the simulator and of
//! its fuzz test. Times and places are drawn here before the world begins.

use crate::{
    dice::Dice,
    scenario::Scenario,
    workload::{Order, Parcel},
};

const MINUTE: u64 = 60_000;
/// Faults begin after this time, so that models are in place.
const QUIET_MS: u64 = 5 * MINUTE;

/// Something happens. Hosts are places in the list of hosts.
#[derive(Clone, Debug)]
pub enum Transition {
    /// Somebody asks.
    Submit {
        /// Where.
        host: usize,
        /// What.
        order: Order,
    },
    /// Somebody no longer wants what was asked there.
    Cancel {
        /// Where.
        host: usize,
        /// What.
        order: Order,
    },
    /// Somebody sends a parcel.
    Post {
        /// Where.
        host: usize,
        /// What.
        parcel: Parcel,
    },
    /// A host crashes after so many more records and effects, in the middle of something.
    Crash {
        /// Which.
        host: usize,
        /// How many records and effects come before.
        steps: u64,
        /// How long it is down.
        down_ms: u64,
    },
    /// A host loses its power between two things.
    PowerOff {
        /// Which.
        host: usize,
        /// How long it is down.
        down_ms: u64,
    },
    /// A host's clock is set wrong; zero sets it right.
    ClockSet {
        /// Which.
        host: usize,
        /// By how much, in milliseconds.
        error_ms: u64,
        /// Whether it is late.
        is_late: bool,
    },
    /// One of the contacts that are open breaks.
    Cut {
        /// Which of them.
        which: u64,
    },
    /// The next bundle that arrives at a host arrives there twice.
    Duplicate {
        /// Which host.
        host: usize,
    },
    /// The next acknowledgement of a host is lost together with the contact.
    LoseAcknowledgement {
        /// Which host.
        host: usize,
    },
    /// Something else fills a disk.
    DiskFull {
        /// Whose.
        host: usize,
    },
    /// It is gone again.
    DiskBack {
        /// Whose.
        host: usize,
    },
    /// The next task of a host fails.
    TaskFailure {
        /// Which host.
        host: usize,
    },
    /// The engine of a host is away, or back.
    Engine {
        /// Which host.
        host: usize,
        /// Whether it is there.
        is_there: bool,
    },
    /// The radio of a host is off, or on again.
    Radio {
        /// Which host.
        host: usize,
        /// Whether it is on.
        is_on: bool,
    },
    /// Nothing is wrong with a host any more, and nothing will be.
    Calm {
        /// Which host.
        host: usize,
    },
}

/// A transition and its time in milliseconds.
pub type Dated = (u64, Transition);

/// Everything that goes wrong in a scenario, in no order. What is taken away is given back before the busy
/// phase ends.
#[must_use]
pub fn faults(scenario: &Scenario, dice: &mut Dice) -> Vec<Dated> {
    let plan = &scenario.faults;
    let busy = scenario.busy_ms();
    let mut dated = Vec::new();
    let hosts = u64::try_from(scenario.hosts.len()).expect("a length in memory fits 64 bits");
    let mut draw = |count: u64, dated: &mut Vec<Dated>, make: &mut dyn FnMut(Draw<'_>, &mut Vec<Dated>)| {
        for _ in 0..count {
            let at = dice.between(QUIET_MS, busy);
            let host = usize::try_from(dice.below(hosts)).expect("a place in a list fits");
            let until = at.saturating_add(dice.between(MINUTE, 90 * MINUTE)).min(busy.max(at + 1));
            make(Draw { at, host, until, dice }, dated);
        }
    };
    draw(plan.crashes, &mut dated, &mut |draw, dated| {
        let (steps, down_ms) = (draw.dice.below(40), draw.until - draw.at);
        dated.push((draw.at, Transition::Crash { host: draw.host, steps, down_ms }));
    });
    draw(plan.power_offs, &mut dated, &mut |draw, dated| {
        dated.push((draw.at, Transition::PowerOff { host: draw.host, down_ms: draw.until - draw.at }));
    });
    draw(plan.cuts, &mut dated, &mut |draw, dated| {
        dated.push((draw.at, Transition::Cut { which: draw.dice.below(1000) }));
    });
    draw(plan.duplicates, &mut dated, &mut |draw, dated| {
        dated.push((draw.at, Transition::Duplicate { host: draw.host }));
    });
    draw(plan.lost_acknowledgements, &mut dated, &mut |draw, dated| {
        dated.push((draw.at, Transition::LoseAcknowledgement { host: draw.host }));
    });
    draw(plan.clock_jumps, &mut dated, &mut |draw, dated| {
        let error_ms = draw.dice.below(plan.clock_jump_minutes * MINUTE + 1);
        let (host, is_late) = (draw.host, draw.dice.chance(500));
        dated.push((draw.at, Transition::ClockSet { host, error_ms, is_late }));
        dated.push((draw.until, Transition::ClockSet { host, error_ms: 0, is_late }));
    });
    draw(plan.full_disks, &mut dated, &mut |draw, dated| {
        dated.push((draw.at, Transition::DiskFull { host: draw.host }));
        dated.push((draw.until, Transition::DiskBack { host: draw.host }));
    });
    draw(plan.task_failures, &mut dated, &mut |draw, dated| {
        dated.push((draw.at, Transition::TaskFailure { host: draw.host }));
    });
    draw(plan.engine_losses, &mut dated, &mut |draw, dated| {
        dated.push((draw.at, Transition::Engine { host: draw.host, is_there: false }));
        dated.push((draw.until, Transition::Engine { host: draw.host, is_there: true }));
    });
    draw(plan.silences, &mut dated, &mut |draw, dated| {
        dated.push((draw.at, Transition::Radio { host: draw.host, is_on: false }));
        dated.push((draw.until, Transition::Radio { host: draw.host, is_on: true }));
    });
    dated
}

/// When, where and how long something goes wrong.
struct Draw<'a> {
    at: u64,
    host: usize,
    until: u64,
    dice: &'a mut Dice,
}

/// What ends every fault, for the beginning of the calm phase.
#[must_use]
pub fn relief(hosts: usize) -> Vec<Transition> {
    (0..hosts).map(|host| Transition::Calm { host }).collect()
}
