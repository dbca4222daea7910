//! Asking and being answered on one node: the same question is the same job, and scripts can rely on what comes out.

use std::{fs, process::Stdio};

use crate::{
    sandbox::Node,
    shell::{Home, last_line, stderr, stdout},
};

#[test]
fn the_same_question_is_answered_from_the_store_without_a_second_run() {
    let node = Node::start();
    let job = node.echo(&["--wait=1m"], "Which way to the well?");
    assert_eq!(node.command(&["fetch", &job]), "Which way to the well?");
    assert_eq!(node.journey(&job), ["accepted", "started", "answered"]);
    let again = node.home.pannier(&["submit", "--kind", "echo", "--json", "-"], b"Which way to the well?");
    let told = last_line(&again);
    assert_eq!((told["id"].as_str(), told["answered"].as_bool()), (Some(job.as_str()), Some(true)));
    assert_eq!(node.count(&job, "started"), 1);

    let fresh = node.echo(&["--fresh", "--wait=1m"], "Which way to the well?");
    assert_ne!(fresh, job);
    assert_eq!(node.journey(&fresh), ["accepted", "started", "answered"]);
    assert_eq!(node.command(&["fetch", &fresh]), "Which way to the well?");
    assert_eq!(node.told(&["list"])["jobs"], 2);
}

#[test]
fn parameters_make_another_job_and_a_file_of_them_is_the_same_as_typing_them() {
    let node = Node::start();
    let plain = node.echo(&[], "ha");
    let typed = node.echo(&["-p", "repeat=3"], "ha");
    fs::write(node.home.path().join("params.toml"), "repeat = 3\n").unwrap();
    assert_eq!(node.echo(&["-f", "params.toml"], "ha"), typed);
    assert_ne!(plain, typed);
    assert_eq!(node.command(&["fetch", &typed, "--wait=1m"]), "hahaha");
    assert_eq!(node.command(&["fetch", &plain, "--wait=1m"]), "ha");
}

#[test]
fn bytes_that_are_no_text_come_back_as_they_were() {
    let node = Node::start();
    let input: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    let submitted = node.home.pannier(&["submit", "--kind", "echo", "--wait=1m", "-"], &input);
    assert_eq!(submitted.status.code(), Some(0), "{}", stderr(&submitted));
    let fetched = node.home.pannier(&["fetch", "@last"], b"");
    assert_eq!(fetched.status.code(), Some(0), "{}", stderr(&fetched));
    assert!(fetched.stdout == input, "{} bytes came back", fetched.stdout.len());
}

#[test]
fn an_exit_code_says_whether_to_come_again() {
    let node = Node::start();
    node.command_with(&["submit", "--model", "far-away", "-"], b"later");
    let waiting = node.home.pannier(&["fetch", "@last", "--wait=50ms"], b"");
    assert_eq!((waiting.status.code(), stdout(&waiting).as_str()), (Some(3), ""));
    assert!(stderr(&waiting).contains("it waits for"), "what it waits for is said: {}", stderr(&waiting));

    node.echo(&["-p", "fail=bad_input"], "broken");
    let failed = node.home.pannier(&["fetch", "@last", "--wait=1m"], b"");
    assert_eq!((failed.status.code(), stdout(&failed).as_str()), (Some(4), ""));
    assert!(stderr(&failed).contains("failed as asked"), "{}", stderr(&failed));
    assert_eq!(node.home.exit(&["submit", "--kind", "echo", "-p", "fail=bad_input", "--wait=1m", "-"]), 4);

    node.command_with(&["submit", "--model", "far-away", "--lifetime", "1s", "-"], b"too late");
    let expired = node.home.pannier(&["fetch", "@last", "--wait=1m"], b"");
    assert_eq!(expired.status.code(), Some(4), "{}", stderr(&expired));
    assert_eq!(last_line(&node.home.pannier(&["fetch", "@last", "--json"], b""))["code"], "expired");

    let unknown = node.home.pannier(&["fetch", "zzzz"], b"");
    assert_eq!(unknown.status.code(), Some(5));
    assert!(stderr(&unknown).contains("`zzzz`") && stderr(&unknown).contains("pannier list"));
    let ambiguous = node.home.pannier(&["status", "bafyr4i"], b"");
    assert_eq!(ambiguous.status.code(), Some(2), "{}", stderr(&ambiguous));
}

#[test]
fn last_is_the_job_that_was_submitted_last_and_nothing_before_that() {
    let node = Node::start();
    let nothing = node.home.pannier(&["fetch", "@last"], b"");
    assert_eq!(nothing.status.code(), Some(5), "{}", stderr(&nothing));
    let first = node.echo(&[], "first");
    assert_eq!(node.told(&["status", "@last"])["id"], first.as_str());
    let second = node.echo(&[], "second");
    assert_eq!(node.told(&["status", "@last"])["id"], second.as_str());
    assert_eq!(node.command(&["fetch", "@last", "--wait=1m"]), "second");
}

#[test]
fn programs_read_lines_of_one_shape() {
    let node = Node::start();
    let submitted = node.lines_with(&["submit", "--kind", "echo", "--wait=1m", "-"], b"water");
    let kinds: Vec<&str> = submitted.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["submitted", "result"]);
    let job = submitted[0]["id"].as_str().unwrap();
    let fetched = node.told(&["fetch", job]);
    assert_eq!(
        (fetched["text"].as_str(), fetched["media"].as_str(), fetched["len"].as_u64()),
        (Some("water"), Some("text/plain"), Some(5))
    );
    let listed = node.lines(&["list"]);
    assert_eq!((listed[0]["type"].as_str(), listed[1]["jobs"].as_u64()), (Some("job"), Some(1)));
    let status = node.told(&["status", job]);
    let result = &status["result"];
    assert_eq!((result["engine"].as_str(), result["outcome"].as_str()), (Some("echo"), Some("completed")));
    assert_eq!(result["signature_valid"], true);
    assert_eq!(result["executor"], node.ready()["eid"]);
    let failed = node.home.pannier(&["--json", "fetch", "zzzz"], b"");
    let error = last_line(&failed);
    assert_eq!((error["type"].as_str(), error["code"].as_str()), (Some("error"), Some("not_found")));
    let lines = [submitted, listed, vec![fetched, status, error]].concat();
    assert!(lines.iter().all(|line| line["version"] == 1));
}

#[test]
fn a_job_for_nobody_is_refused_before_anything_is_kept() {
    let node = Node::start();
    let refused = node.home.pannier(&["submit", "-"], b"which model?");
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("needs a model"), "{}", stderr(&refused));
    assert_eq!(node.told(&["list"])["jobs"], 0);
    assert_eq!(Home::new().exit(&["fetch", "@last"]), 11);
}

#[test]
fn many_people_who_ask_at_once_are_all_answered() {
    let node = Node::start();
    let jobs: Vec<String> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8)
            .map(|person| {
                let node = &node;
                scope.spawn(move || {
                    let ask = |question| node.echo(&[], &format!("person {person} asks {question}"));
                    (0..4).map(ask).collect::<Vec<_>>()
                })
            })
            .collect();
        asking.into_iter().flat_map(|person| person.join().unwrap()).collect()
    });
    for (index, job) in jobs.iter().enumerate() {
        let text = format!("person {} asks {}", index / 4, index % 4);
        assert_eq!(node.command(&["fetch", job, "--wait=1m"]), text);
        assert_eq!(node.journey(job).iter().filter(|step| *step == "started").count(), 1);
    }
}

#[test]
fn whoever_watches_or_waits_is_told_when_the_node_goes_away() {
    let mut node = Node::start();
    let job = node.command_with(&["submit", "--model", "far-away", "-"], b"later");
    let start = |arguments: &[&str]| {
        let mut command = node.home.command(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let (watch, wait) = (start(&["watch", &job]), start(&["fetch", &job, "--wait"]));
    assert!(node.stop().success());
    for gone in [watch, wait] {
        let output = gone.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(10), "{}{}", stdout(&output), stderr(&output));
        assert!(stderr(&output).contains("hint: pannier run"), "{}", stderr(&output));
    }
}
