//! What the doctor finds: damage, before somebody needs what is damaged.

use std::fs;

use crate::{
    sandbox::Node,
    shell::{last_line, stderr, stdout},
};

#[test]
fn a_flipped_bit_in_the_store_is_found_whether_the_node_runs_or_not() {
    let mut node = Node::start_carrier();
    let input: String = "only once in the store ".repeat(5000);
    node.echo(&[], &input);
    assert_eq!(node.home.exit(&["doctor"]), 0);
    assert!(node.stop().success());
    assert_eq!(node.home.exit(&["doctor"]), 0);

    let segments = fs::read_dir(node.home.path().join("data/store/seg")).unwrap().flatten();
    let damaged = segments.filter(|segment| {
        let mut bytes = fs::read(segment.path()).unwrap();
        let needle = b"only once in the store only once";
        let Some(at) = bytes.windows(needle.len()).position(|window| window == needle) else { return false };
        bytes[at + 10_000] ^= 1;
        fs::write(segment.path(), bytes).unwrap();
        true
    });
    assert_eq!(damaged.count(), 1);
    let stopped = node.home.pannier(&["doctor"], b"");
    assert_eq!(stopped.status.code(), Some(14), "{}", stdout(&stopped));
    assert!(stdout(&stopped).contains("FAIL  store"), "{}", stdout(&stopped));
    node.run();
    let running = node.home.pannier(&["doctor", "--json"], b"");
    assert_eq!(
        (running.status.code(), last_line(&running)["fail"].as_u64()),
        (Some(14), Some(1)),
        "{}",
        stdout(&running)
    );
}

#[test]
fn an_engine_that_is_not_installed_is_a_warning_with_a_way_out() {
    let node = Node::start_with(&["inference.engines=[\"echo\", \"nothing\"]"]);
    let output = node.home.pannier(&["doctor", "--set", "inference.engines=[\"echo\", \"nothing\"]"], b"");
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let warned = stdout(&output).lines().any(|line| line.starts_with("warn  worker nothing"));
    assert!(warned && stdout(&output).contains("hint: "), "{}", stdout(&output));
    assert_eq!(node.command(&["fetch", &node.echo(&["--wait=1m"], "x")]), "x");
}

#[test]
fn settings_are_shown_with_where_they_come_from() {
    let node = Node::start();
    fs::write(node.home.path().join("pannier.toml"), "[store]\nquota = \"7GB\"\n").unwrap();
    let output = stdout(&node.home.pannier(&["doctor", "--set", "gateway.wait=9s"], b""));
    let line = |key: &str| output.lines().find(|line| line.contains(key)).unwrap_or_default().to_owned();
    assert!(line("store.quota").contains("7GB") && line("store.quota").contains("pannier.toml"), "{output}");
    assert!(line("gateway.wait").contains("9s") && line("gateway.wait").contains("command line"), "{output}");
}
