//! Exit codes, and what goes where: scripts outside rely on them.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::shell::{Home, last_line, stderr, stdout};

#[test]
fn a_command_line_that_makes_no_sense_exits_with_2() {
    let home = Home::new();
    for arguments in [
        &["nonsense"][..],
        &["fetch"],
        &["submit", "--kind", "sing", "-"],
        &["fetch", "x", "--wait=soon"],
        &["list", "--node", "ftp://x"],
        &["submit", "--to", "dtn://b/y", "-"],
        &["submit", "--kind", "data", "-"],
        &["submit", "-m", "x", "-p", "temperature", "-"],
    ] {
        assert_eq!(home.exit(arguments), 2, "{arguments:?}");
    }
}

#[test]
fn before_init_every_command_that_needs_a_node_exits_with_11() {
    let home = Home::new();
    for arguments in
        [&["list"][..], &["run"], &["status"], &["fetch", "x"], &["model", "list"], &["peer", "list"]]
    {
        let output = home.pannier(arguments, b"");
        assert_eq!(output.status.code(), Some(11), "{arguments:?}");
        assert!(stderr(&output).ends_with("hint: pannier init\n"), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn without_a_running_node_commands_exit_with_10() {
    let home = Home::new();
    assert_eq!(home.exit(&["init"]), 0);
    for arguments in [&["list"][..], &["submit", "-m", "x", "-"], &["status"], &["spool", "import", "."]] {
        let output = home.pannier(arguments, b"why?");
        assert_eq!(output.status.code(), Some(10), "{arguments:?}");
        assert!(stderr(&output).starts_with("error: no node is running\n  `"), "{}", stderr(&output));
        assert!(stderr(&output).ends_with("\nhint: pannier run\n"));
    }
    assert_eq!(home.exit(&["list", "--node", "unix:/nowhere/at/all.sock"]), 10);
}

#[test]
fn a_configuration_that_makes_no_sense_exits_with_13() {
    let home = Home::new();
    assert_eq!(home.exit(&["init"]), 0);
    assert_eq!(home.exit(&["run", "--set", "gateway.listen=0.0.0.0:1"]), 13);
    assert_eq!(home.exit(&["run", "--config", "missing.toml"]), 13);
    fs::write(home.path().join("pannier.toml"), "[store]\nqouta = \"1GB\"\n").unwrap();
    let output = home.pannier(&["run"], b"");
    assert_eq!(output.status.code(), Some(13));
    assert!(stderr(&output).ends_with("hint: did you mean `store.quota`?\n"), "{}", stderr(&output));
    assert_eq!(home.exit(&["doctor"]), 14);
}

#[test]
fn init_is_idempotent_and_keeps_the_identity() {
    let home = Home::new();
    let first = home.pannier(&["init"], b"");
    assert_eq!(first.status.code(), Some(0));
    let node = |output| last_line(output)["node"].as_str().unwrap().to_owned();
    let again = home.pannier(&["init", "--json"], b"");
    assert!(stdout(&first).contains(&node(&again)));
    assert!(node(&again).starts_with("dtn://"));
    assert_eq!(home.exit(&["init", "--eid", "dtn://other/"]), 13, "the file that is there says otherwise");
    assert_eq!(node(&home.pannier(&["init", "--json"], b"")), node(&again));
    let mode = fs::metadata(home.path().join("data/identity")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_key_that_others_can_read_stops_the_node_and_fails_the_doctor() {
    let home = Home::new();
    assert_eq!(home.exit(&["init", "--eid", "dtn://bus-7/"]), 0);
    assert_eq!(home.exit(&["doctor", "--quick"]), 0);
    fs::set_permissions(home.path().join("data/identity"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(home.exit(&["run"]), 13);
    let output = home.pannier(&["doctor"], b"");
    assert_eq!(output.status.code(), Some(14));
    assert!(stdout(&output).contains("hint: chmod 600"));
}

#[test]
fn programs_get_one_last_line_whatever_happens() {
    let home = Home::new();
    for (arguments, kind, code) in [
        (&["list", "--json"][..], "error", 11),
        (&["--json", "nonsense"], "error", 2),
        (&["init", "--json"], "result", 0),
        (&["list", "--json"], "error", 10),
        (&["doctor", "--json", "--quick"], "result", 0),
        (&["bundle", "validate", "--json", "-"], "error", 1),
        (&["completions", "fish", "--json"], "result", 0),
        (&["man", "--json"], "result", 0),
    ] {
        let output = home.pannier(arguments, b"");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        let lines: Vec<serde_json::Value> =
            stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(lines.iter().all(|line| line["version"] == 1), "{arguments:?}");
        let last = lines.iter().filter(|line| ["result", "error"].contains(&line["type"].as_str().unwrap()));
        assert_eq!(last.count(), 1, "{arguments:?}");
        assert_eq!(lines.last().unwrap()["type"], kind, "{arguments:?}");
        assert_eq!(stderr(&output), "", "{arguments:?}");
    }
}

#[test]
fn silence_can_be_had() {
    let home = Home::new();
    let output = home.pannier(&["list", "-qq"], b"");
    assert_eq!(
        (output.status.code(), stdout(&output), stderr(&output)),
        (Some(11), String::new(), String::new())
    );
}
