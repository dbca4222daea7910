//! What the help says. It is guarded by snapshots; `UPDATE=1` rewrites them.

use std::{fs, path::PathBuf};

use crate::shell::{Home, stdout};

const COMMANDS: [&str; 22] = [
    "submit",
    "fetch",
    "list",
    "status",
    "watch",
    "cancel",
    "send",
    "recv",
    "query",
    "trigger",
    "peer",
    "join",
    "spool",
    "ping",
    "model",
    "init",
    "run",
    "doctor",
    "selftest",
    "bundle",
    "completions",
    "man",
];

#[test]
fn the_help_is_as_it_was_reviewed() {
    let home = Home::new();
    let mut all = stdout(&home.pannier(&["--help"], b""));
    for command in COMMANDS {
        all.push_str(&format!("\n==== {command}\n"));
        all.push_str(&stdout(&home.pannier(&[command, "--help"], b"")));
    }
    snapshot("help.txt", &all);
}

#[test]
fn short_help_fits_a_small_terminal() {
    let home = Home::new();
    let root = std::iter::once(vec!["-h"]);
    for arguments in root.chain(COMMANDS.iter().map(|command| vec![*command, "-h"])) {
        let help = stdout(&home.pannier(&arguments, b""));
        assert!(help.lines().count() <= 24, "{arguments:?} has {} lines", help.lines().count());
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{arguments:?} is too wide:\n{help}");
    }
}

#[test]
fn every_command_is_in_the_short_help_and_ends_its_long_help_with_two_examples() {
    let home = Home::new();
    let root = stdout(&home.pannier(&["-h"], b""));
    for command in COMMANDS {
        assert!(root.contains(command), "{command} is missing");
        let help = stdout(&home.pannier(&[command, "--help"], b""));
        let (_, examples) =
            help.rsplit_once("Examples:\n").unwrap_or_else(|| panic!("{command} has no examples"));
        assert_eq!(examples.lines().filter(|line| line.contains("pannier ")).count(), 2, "{command}");
    }
}

#[test]
fn every_example_is_a_command_line_that_is_understood() {
    let home = Home::new();
    for command in COMMANDS {
        let help = stdout(&home.pannier(&[command, "--help"], b""));
        let (_, examples) = help.rsplit_once("Examples:\n").unwrap();
        for example in examples.lines() {
            let typed = example.split("pannier ").last().unwrap().split(" > ").next().unwrap();
            // The words are understood before help is shown, but nothing is done.
            let mut words: Vec<&str> = typed.split_whitespace().collect();
            words.push("--help");
            assert_eq!(home.exit(&words), 0, "{example}");
        }
    }
}

#[test]
fn every_command_in_the_readme_is_understood() {
    let home = Home::new();
    let readme = include_str!("../../README.md");
    let lines =
        readme.lines().filter(|line| line.starts_with("    ")).filter_map(|line| line.split(" #").next());
    let shown = lines.filter_map(|line| line.split_once("pannier ")).map(|(_, words)| words);
    let named = readme.split('`').skip(1).step_by(2).filter_map(|code| code.strip_prefix("pannier "));
    let mut seen = 0;
    for typed in shown.chain(named) {
        let typed = typed.replace(['"', ')'], "");
        let mut words: Vec<&str> = typed.split_whitespace().collect();
        words.push("--help");
        assert_eq!(home.exit(&words), 0, "{typed}");
        seen += 1;
    }
    assert!(seen > 10, "{seen} commands were found");
}

#[test]
fn completions_and_manual_come_from_the_same_tree() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(stdout(&home.pannier(&["completions", shell], b"")).contains("selftest"), "{shell}");
    }
    let page = stdout(&home.pannier(&["man"], b""));
    assert!(page.contains("EXIT STATUS") && page.contains("not initialised"));
    assert_eq!(home.exit(&["man", "--dir", "pages"]), 0);
    assert!(home.path().join("pages/pannier-submit.1").is_file());
}

/// Compares with a reviewed file.
fn snapshot(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots").join(name);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, text).unwrap();
    }
    let reviewed = fs::read_to_string(&path).unwrap_or_default();
    assert!(reviewed == text, "{} differs; `UPDATE=1` rewrites it. It is:\n{text}", path.display());
}
