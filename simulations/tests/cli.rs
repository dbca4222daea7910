//! `pannier-sim` as it is called.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

#[test]
fn a_run_leaves_events_and_figures_that_are_the_same_twice() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| {
        let out = folder.path().join(name);
        let output = sim(&["run", "village_bus", "--seed", "3", "--out", text(&out)]);
        assert!(output.status.success(), "{output:?}");
        ["events.jsonl", "summary.json"].map(|file| fs::read(out.join(file)).unwrap())
    };
    assert_eq!(read("first"), read("second"));
}

#[test]
fn a_table_of_figures_goes_to_standard_output() {
    let output = sim(&["run", "village_bus", "--seeds", "3"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("answers delivered") && shown.contains("violations          none"), "{shown}");
}

#[test]
fn a_replay_tells_the_story_of_one_job() {
    let whole = String::from_utf8(sim(&["replay", "village_bus", "--seed", "3"]).stdout).unwrap();
    let accepted: serde_json::Value =
        whole.lines().find(|line| line.contains("\"accepted\"")).unwrap().parse().unwrap();
    let job = accepted["job"].as_str().unwrap();
    let told = sim(&["replay", "village_bus", "--seed", "3", "--trace", job, "--until", "2d"]).stdout;
    let story = String::from_utf8(told).unwrap();
    assert!(story.lines().count() >= 3 && story.lines().all(|line| line.contains(job)), "{story}");
    let early = sim(&["replay", "village_bus", "--seed", "3", "--until", "1s"]).stdout;
    assert!(early.len() < whole.len() / 10);
}

#[test]
fn an_unknown_scenario_is_named_with_those_that_there_are() {
    let output = sim(&["run", "village_boat"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("village_boat") && said.contains("village_bus, mule_chain"), "{said}");
}

fn sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pannier-sim")).args(arguments).output().expect("the program was built")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("folders of tests are UTF-8")
}
