//! Any sequence of transitions leaves a world in which everything holds.

use std::time::Duration;

use bundle_spec::{
    BundleFlags,
    adu::{Kind, ModelSelector},
};
use simulations::{
    report::Log,
    scenario::Scenario,
    transition::{Dated, Transition},
    workload::{Order, Parcel},
    world::World,
};

const MINUTE: u64 = 60_000;
/// Most transitions of one sequence.
const TRANSITIONS_MAX: usize = 32;
/// Three hosts in a row, of which the last can do the work.
const ROW: &str = r#"
    name = "row"
    about = "Somebody who asks, somebody who walks, somebody who answers."
    busy_hours = 8
    calm_hours = 12

    [[host]]
    name = "asker"
    asks = true
    clock = true
    quota_kib = 256

    [[host]]
    name = "mule"
    quota_kib = 256

    [[host]]
    name = "doer"
    asks = true
    quota_kib = 256
    kinds = ["complete", "echo"]
    models = ["report"]

    [[pattern]]
    kind = "mule_loop"
    link = "wifi"
    mule = "mule"
    stops = ["asker", "doer"]
    walk_minutes_min = 10
    walk_minutes_max = 25
    dwell_minutes = 8

    [workload]
    jobs = 0
    input_bytes_max = 1
"#;

#[test]
fn any_sequence_of_transitions_ends_well() {
    // Over a link that takes everything, one that takes short bundles only, and one that breaks.
    let scenarios = ["wifi", "datagram", "frail"]
        .map(|link| Scenario::parse(&ROW.replace("\"wifi\"", &format!("\"{link}\""))).unwrap());
    bolero::check!()
        .with_type::<(u64, Vec<(u8, u8, u16)>)>()
        .with_iterations(150)
        .with_max_len(TRANSITIONS_MAX * 8)
        .for_each(|(seed, steps)| {
            let scenario = &scenarios[usize::try_from(seed % 3).unwrap()];
            let mut world = World::bare(scenario.clone(), *seed, Log::kept());
            world.plan(plan(steps));
            let outcome = world.run();
            let failure = outcome.failure.map(|failure| (failure, outcome.log.lines().to_owned()));
            assert!(failure.is_none(), "{failure:?}");
        });
}

/// One transition for each step: what, where and how, and how long after the one before.
fn plan(steps: &[(u8, u8, u16)]) -> Vec<Dated> {
    let mut at = 6 * MINUTE;
    let dated = steps.iter().take(TRANSITIONS_MAX).map(|(what, how, later)| {
        at = (at + u64::from(*later) * 20).min(8 * 60 * MINUTE - 1);
        (at, transition(*what, *how))
    });
    dated.collect()
}

fn transition(what: u8, how: u8) -> Transition {
    let host = usize::from(how % 3);
    let asker = usize::from(how & 1) * 2;
    let rest = u64::from(how / 3);
    match what % 18 {
        0..=3 => Transition::Submit { host: asker, order: order(how) },
        4 => Transition::Cancel { host: asker, order: order(how) },
        5..=7 => Transition::Crash { host, steps: rest % 24, down_ms: (1 + rest) * MINUTE / 2 },
        8 => Transition::PowerOff { host, down_ms: (1 + rest) * MINUTE },
        9 => Transition::Cut { which: rest },
        10 => Transition::Duplicate { host },
        11 => Transition::LoseAcknowledgement { host },
        12 => Transition::ClockSet { host, error_ms: rest * MINUTE, is_late: rest.is_multiple_of(2) },
        13 if rest.is_multiple_of(2) => Transition::DiskFull { host },
        13 => Transition::DiskBack { host },
        14 if rest.is_multiple_of(3) => Transition::TaskFailure { host },
        14 => Transition::Engine { host, is_there: rest % 3 == 1 },
        15 => Transition::Radio { host, is_on: rest.is_multiple_of(2) },
        _ => Transition::Post { host: asker, parcel: parcel(2 - asker, how) },
    }
}

/// A parcel between the ends of the row, some of them long.
fn parcel(to: usize, how: u8) -> Parcel {
    let bytes = vec![how; usize::from(how) * usize::from(how % 5) * 10].into();
    let lifetime = Duration::from_secs(20 * 24 * 3600);
    Parcel { to, bytes, lifetime, flags: BundleFlags::REPORT_DELIVERY }
}

/// One of few jobs, so that they meet again.
fn order(how: u8) -> Order {
    let number = how / 2 % 6;
    let model = match number % 2 {
        0 => ModelSelector::Named("report".to_owned()),
        _ => ModelSelector::None,
    };
    Order {
        kind: if number.is_multiple_of(2) { Kind::Complete } else { Kind::Echo },
        model,
        input: vec![b'a' + number; 40 + usize::from(number) * 900].into(),
        is_linked: number > 2,
        lifetime: Some(Duration::from_secs(20 * 24 * 3600)),
    }
}
