//! Who meets whom and when. A pattern is turned into a list of meetings before the world begins; what
//! happens on a meeting is the link's business.

use serde::Deserialize;

use crate::{
    dice::Dice,
    scenario::{Scenario, ScenarioError},
};

const MINUTE: u64 = 60_000;

/// A way of meeting.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Pattern {
    /// A bus that goes along its stops and back by timetable; it is at one stop at a time.
    BusLine {
        /// Who drives.
        bus: String,
        /// Where it stops, in order.
        stops: Vec<String>,
        /// How long it drives from stop to stop.
        ride_minutes: u64,
        /// How long it stays at a stop.
        dwell_minutes: u64,
        /// How much both differ at most.
        jitter_minutes: u64,
    },
    /// A mule that goes round and round.
    MuleLoop {
        /// Who walks.
        mule: String,
        /// Where to, in order, then to the first again.
        stops: Vec<String>,
        /// How long it walks from place to place, at least.
        walk_minutes_min: u64,
        /// How long it walks from place to place, at most.
        walk_minutes_max: u64,
        /// How long it stays at a place.
        dwell_minutes: u64,
    },
    /// A ferry that lands at its shores in turn, for a moment only.
    Ferry {
        /// Who crosses.
        ferry: String,
        /// Where it lands, in order, then at the first again.
        shores: Vec<String>,
        /// How long it crosses.
        cross_minutes: u64,
        /// How long it stays.
        stay_seconds: u64,
    },
    /// Everybody meets somebody now and then, as people who wander about do.
    Wander {
        /// Who.
        hosts: Vec<String>,
        /// How long from one meeting of a pair to the next, on the average.
        every_minutes: u64,
        /// How long a meeting lasts, on the average.
        stay_minutes: u64,
    },
    /// A network that is whole at times and at others falls apart into islands.
    Islands {
        /// Who is on which island.
        islands: Vec<Vec<String>>,
        /// How long the network is in pieces.
        apart_minutes: u64,
        /// How long it is whole.
        together_minutes: u64,
        /// How much both differ at most.
        jitter_minutes: u64,
    },
    /// Meetings as they were recorded: lines `seconds CONN one other up|down`, as the ONE simulator writes
    /// them.
    Trace {
        /// The lines.
        lines: String,
    },
}

/// Two hosts can reach each other for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meeting {
    /// When it begins, in milliseconds.
    pub from: u64,
    /// When it ends.
    pub to: u64,
    /// Who, as places in the list of hosts.
    pub pair: (usize, usize),
}

impl Pattern {
    /// Every host that it names.
    ///
    /// # Errors
    /// If a trace makes no sense.
    pub fn names(&self) -> Result<Vec<String>, ScenarioError> {
        Ok(match self {
            Self::BusLine { bus: mover, stops, .. }
            | Self::MuleLoop { mule: mover, stops, .. }
            | Self::Ferry { ferry: mover, shores: stops, .. } => {
                stops.iter().chain([mover]).cloned().collect()
            }
            Self::Wander { hosts, .. } => hosts.clone(),
            Self::Islands { islands, .. } => islands.iter().flatten().cloned().collect(),
            Self::Trace { lines } => {
                let changes = read_trace(lines)?;
                changes.into_iter().flat_map(|change| [change.one, change.other]).collect()
            }
        })
    }

    /// Every meeting that begins before the end of the scenario.
    #[must_use]
    pub fn meetings(&self, scenario: &Scenario, dice: &mut Dice) -> Vec<Meeting> {
        let place = |name: &String| scenario.host(name).expect("the scenario names only hosts that it has");
        let end = scenario.end_ms();
        match self {
            Self::BusLine { bus, stops, ride_minutes, dwell_minutes, jitter_minutes } => {
                let there = stops.iter().map(place);
                let back = stops.iter().rev().skip(1).take(stops.len().saturating_sub(2)).map(place);
                let round: Vec<usize> = there.chain(back).collect();
                let mut times = |minutes: u64| dice.around(minutes * MINUTE, jitter_minutes * MINUTE);
                tour(place(bus), &round, end, |is_ride| {
                    times(if is_ride { *ride_minutes } else { *dwell_minutes })
                })
            }
            Self::MuleLoop { mule, stops, walk_minutes_min, walk_minutes_max, dwell_minutes } => {
                let round: Vec<usize> = stops.iter().map(place).collect();
                tour(place(mule), &round, end, |is_ride| match is_ride {
                    true => dice.between(walk_minutes_min * MINUTE, walk_minutes_max * MINUTE),
                    false => dice.around(dwell_minutes * MINUTE, dwell_minutes * MINUTE / 2),
                })
            }
            Self::Ferry { ferry, shores, cross_minutes, stay_seconds } => {
                let round: Vec<usize> = shores.iter().map(place).collect();
                tour(place(ferry), &round, end, |is_ride| match is_ride {
                    true => cross_minutes * MINUTE,
                    false => stay_seconds * 1000,
                })
            }
            Self::Wander { hosts, every_minutes, stay_minutes } => {
                let hosts: Vec<usize> = hosts.iter().map(place).collect();
                let mut meetings = Vec::new();
                for pair in pairs(&hosts) {
                    let mut at = dice.below(every_minutes * MINUTE);
                    while at < end {
                        let stay = dice.between(stay_minutes * MINUTE / 2, stay_minutes * MINUTE * 3 / 2);
                        meetings.push(Meeting { from: at, to: at + stay, pair });
                        at += stay + dice.between(every_minutes * MINUTE / 2, every_minutes * MINUTE * 3 / 2);
                    }
                }
                meetings
            }
            Self::Islands { islands, apart_minutes, together_minutes, jitter_minutes } => {
                let islands: Vec<Vec<usize>> =
                    islands.iter().map(|island| island.iter().map(place).collect()).collect();
                let mut times = |minutes: u64| dice.around(minutes * MINUTE, jitter_minutes * MINUTE);
                island_meetings(&islands, end, |is_apart| {
                    times(if is_apart { *apart_minutes } else { *together_minutes })
                })
            }
            Self::Trace { lines } => {
                let changes = read_trace(lines).expect("the trace was read when the scenario was");
                trace_meetings(&changes, end, |name| place(&name.to_owned()))
            }
        }
    }
}

/// Somebody goes round: rides (`true`) and stays (`false`) as long as told.
fn tour(mover: usize, round: &[usize], end: u64, mut times: impl FnMut(bool) -> u64) -> Vec<Meeting> {
    let mut meetings = Vec::new();
    let mut at = times(true);
    for stop in round.iter().cycle() {
        if at >= end {
            break;
        }
        let stay = times(false).max(MINUTE);
        meetings.push(Meeting { from: at, to: at + stay, pair: (mover, *stop) });
        at += stay + times(true).max(MINUTE);
    }
    meetings
}

/// Within an island everybody meets everybody always; the first of each island meet while the network is
/// whole.
fn island_meetings(islands: &[Vec<usize>], end: u64, mut times: impl FnMut(bool) -> u64) -> Vec<Meeting> {
    let within = islands.iter().flat_map(|island| pairs(island));
    let mut meetings: Vec<Meeting> = within.map(|pair| Meeting { from: 1000, to: end, pair }).collect();
    let gates: Vec<usize> = islands.iter().filter_map(|island| island.first()).copied().collect();
    let mut at = times(true);
    while at < end {
        let stay = times(false).max(MINUTE);
        meetings.extend(pairs(&gates).into_iter().map(|pair| Meeting { from: at, to: at + stay, pair }));
        at += stay + times(true).max(MINUTE);
    }
    meetings
}

fn pairs(hosts: &[usize]) -> Vec<(usize, usize)> {
    let each = hosts.iter().enumerate();
    each.flat_map(|(place, one)| hosts[place + 1..].iter().map(|other| (*one, *other))).collect()
}

/// A line of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    at: u64,
    one: String,
    other: String,
    is_up: bool,
}

fn read_trace(lines: &str) -> Result<Vec<Change>, ScenarioError> {
    let mut changes = Vec::new();
    for (place, line) in lines.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let wrong = |why: &str| ScenarioError::Trace { line: place + 1, why: why.to_owned() };
        match words[..] {
            [] => {}
            [first, ..] if first.starts_with('#') => {}
            [at, "CONN", one, other, change] => {
                let at = milliseconds(at).ok_or_else(|| wrong("the time is no number of seconds"))?;
                let is_up = match change {
                    "up" => true,
                    "down" => false,
                    _ => return Err(wrong("a contact goes `up` or `down`")),
                };
                changes.push(Change { at, one: one.to_owned(), other: other.to_owned(), is_up });
            }
            // The ONE writes other events into the same file; they are not about contacts.
            [_, word, ..] if word != "CONN" => {}
            _ => return Err(wrong("expected `seconds CONN one other up|down`")),
        }
    }
    Ok(changes)
}

/// Seconds with up to three decimals, in milliseconds.
fn milliseconds(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = format!("{part:0<3}");
    let part: u64 = part.get(..3)?.parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(part)
}

fn trace_meetings(changes: &[Change], end: u64, place: impl Fn(&str) -> usize) -> Vec<Meeting> {
    let mut meetings = Vec::new();
    for (index, up) in changes.iter().enumerate().filter(|(_, change)| change.is_up) {
        let down = changes[index..].iter().find(|down| {
            let is_same = down.one == up.one && down.other == up.other;
            let is_turned = down.one == up.other && down.other == up.one;
            !down.is_up && (is_same || is_turned)
        });
        let to = down.map_or(end, |down| down.at);
        if up.at < end && to > up.at {
            meetings.push(Meeting { from: up.at, to, pair: (place(&up.one), place(&up.other)) });
        }
    }
    meetings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_of_the_one_becomes_meetings() {
        let changes =
            read_trace("# a comment\n10.0 CONN a b up\n\n11 C M1 a b 100\n12.5 CONN b a down\n").unwrap();
        let meetings = trace_meetings(&changes, 100_000, |name| usize::from(name == "b"));
        assert_eq!(meetings, [Meeting { from: 10_000, to: 12_500, pair: (0, 1) }]);
    }

    #[test]
    fn a_trace_that_makes_no_sense_is_refused_with_its_line() {
        let error = read_trace("1 CONN a b up\n2 CONN a b sideways").unwrap_err();
        assert_eq!(error.to_string(), "line 2 of the trace: a contact goes `up` or `down`");
    }

    #[test]
    fn a_bus_is_at_one_stop_at_a_time_and_turns_at_the_ends() {
        let meetings =
            tour(9, &[0, 1, 2, 1], 60 * MINUTE, |is_ride| if is_ride { 5 * MINUTE } else { MINUTE });
        let stops: Vec<usize> = meetings.iter().map(|meeting| meeting.pair.1).collect();
        assert_eq!(stops[..6], [0, 1, 2, 1, 0, 1]);
        assert!(meetings.windows(2).all(|two| two[0].to < two[1].from));
    }
}
