//! Enforces STYLE and ARCHITECTURE on the source text. Reads every file once.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Who may know whom, by first path segment under `src/`. Mirrors the table in ARCHITECTURE.
const EDGES: &[(&str, &[&str])] = &[
    ("limits", &[]),
    ("time", &[]),
    ("content", &["limits", "time"]),
    ("route", &["limits", "time"]),
    ("schedule", &["limits", "time"]),
    ("agent", &["limits", "time", "content", "route", "schedule"]),
    ("store", &["agent", "limits"]),
    ("cla", &["agent", "limits", "node::mailbox"]),
    ("inference", &["agent", "limits", "node::mailbox", "time"]),
    ("gateway", &["limits", "node::mailbox", "settings", "time"]),
    ("settings", &["limits"]),
    (
        "node",
        &[
            "agent",
            "cla",
            "content",
            "gateway",
            "inference",
            "limits",
            "route",
            "schedule",
            "settings",
            "store",
            "time",
        ],
    ),
    ("cli", &["gateway", "inference", "limits", "node", "settings", "store", "time"]),
    ("main", &["cli"]),
    ("lib", &[]),
];
/// Modules of the pure half: what must not be named there.
const PURE: &[&str] = &["agent", "content", "route", "schedule", "limits", "time"];
const IMPURE: &[&str] = &[
    "std::net",
    "std::fs",
    "std::thread",
    "std::sync",
    "HashMap",
    "HashSet",
    "Instant",
    "SystemTime",
    "tokio",
    "async ",
];
/// Files that know more than their room: a node in miniature for a benchmark.
const KNOWING_MORE: &[(&str, &[&str])] = &[("src/cla/quic/workload.rs", &["route"])];
const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 60;
const COLUMNS_MAX: usize = 110;
const BANNED_MODULES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc", "manager", "mod"];
const BANNED_IN_CODE: &[(&str, &str)] = &[
    (".unwrap()", "say which invariant holds: `expect`"),
    ("#[allow(", "use `#[expect(.., reason = ..)]`"),
    ("anyhow", "an error enum per module"),
    ("Box<dyn Error", "an error enum per module"),
    ("Box<dyn std::error::Error", "an error enum per module"),
    ("TODO", "finish it or leave it out"),
    ("FIXME", "finish it or leave it out"),
    ("todo!(", "finish it or leave it out"),
    ("unimplemented!(", "finish it or leave it out"),
];
/// What only these files may name.
const FENCED: &[(&str, &[&str])] = &[
    ("sled::", &["src/store/index.rs"]),
    ("bincode::", &["src/store/index.rs", "src/inference/frame.rs"]),
    ("println!", &["src/cli/printer.rs"]),
];
/// What lies at the top, and nothing else.
const TOP: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "bundle-spec",
    "simulations",
    "src",
    "target",
    "tests",
    "tools",
];

#[test]
fn the_source_text_is_tidy() {
    let mut untidy = Vec::new();
    for root in ["src", "bundle-spec/src", "simulations/src", "tools/src"] {
        for path in rust_files(&root_path(root)) {
            let text = fs::read_to_string(&path).expect("source files are UTF-8");
            // Tests, and what only tests use, may unwrap and be long.
            if path.ends_with("tests.rs") || text.contains("#![cfg(test)]") || is_below(&path, "tests") {
                continue;
            }
            let code = text.split("#[cfg(test)]").next().expect("split yields one part");
            check_name(&path, &mut untidy);
            check_size(&path, code, &mut untidy);
            check_words(&path, code, &mut untidy);
            if root == "src" {
                check_edges(&path, code, &mut untidy);
                check_purity(&path, code, &mut untidy);
                check_fences(&path, code, &mut untidy);
            }
        }
    }
    assert!(untidy.is_empty(), "\n{}", untidy.join("\n"));
}

#[test]
fn the_top_level_holds_what_it_may_and_every_room_has_a_readme() {
    let mut untidy = Vec::new();
    for entry in fs::read_dir(root_path(".")).expect("the root is readable").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !TOP.contains(&name.as_str()) {
            untidy.push(format!("`{name}` does not belong at the top"));
        }
    }
    for folder in ["bundle-spec", "simulations", "tests", "tools"] {
        if !root_path(folder).join("README.md").is_file() {
            untidy.push(format!("{folder}/README.md is missing"));
        }
    }
    assert!(untidy.is_empty(), "\n{}", untidy.join("\n"));
}

#[test]
fn every_file_named_in_the_architecture_exists() {
    let text = fs::read_to_string(root_path("src/ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    let named = text.split('`').skip(1).step_by(2).filter(|name| {
        ["src/", "simulations/", "bundle-spec/", "tests/", "tools/"].iter().any(|room| name.starts_with(room))
    });
    let missing: Vec<_> = named.filter(|name| !root_path(name).exists()).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names what is not there: {missing:?}");
}

fn root_path(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn shown(path: &Path) -> String {
    path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path).display().to_string()
}

/// Whether the path lies in a folder of this name.
fn is_below(path: &Path, folder: &str) -> bool {
    let below = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path);
    below.components().any(|component| component.as_os_str() == folder)
}

fn check_name(path: &Path, untidy: &mut Vec<String>) {
    let stem = path.file_stem().expect("a source file has a name").to_string_lossy();
    if BANNED_MODULES.contains(&stem.as_ref()) {
        untidy.push(format!("{}: a name that says nothing", shown(path)));
    }
}

fn check_size(path: &Path, code: &str, untidy: &mut Vec<String>) {
    let lines = code.lines().count();
    if lines > FILE_LINES_MAX {
        untidy.push(format!("{}: {lines} lines, at most {FILE_LINES_MAX}: split by procedure", shown(path)));
    }
    let mut function: Option<(usize, usize)> = None;
    for (index, line) in code.lines().enumerate() {
        if line.chars().count() > COLUMNS_MAX {
            untidy.push(format!("{}:{}: {} columns", shown(path), index + 1, line.chars().count()));
        }
        let indent = line.len() - line.trim_start().len();
        let word = line
            .trim_start()
            .trim_start_matches("pub ")
            .trim_start_matches("const ")
            .trim_start_matches("async ");
        let starts = word.starts_with("fn ") || (word.starts_with("pub(") && word.contains(") fn "));
        match function {
            None if starts && !line.trim_end().ends_with(';') && !line.trim_end().ends_with('}') => {
                function = Some((index, indent));
            }
            Some((start, depth)) if indent == depth && line.trim_start().starts_with('}') => {
                let long = index - start + 1;
                if long > FUNCTION_LINES_MAX {
                    untidy.push(format!("{}:{}: a function of {long} lines", shown(path), start + 1));
                }
                function = None;
            }
            _ => {}
        }
    }
}

fn check_words(path: &Path, code: &str, untidy: &mut Vec<String>) {
    for (index, line) in code.lines().enumerate() {
        for (word, reason) in BANNED_IN_CODE {
            if line.contains(word) {
                untidy.push(format!("{}:{}: `{word}`: {reason}", shown(path), index + 1));
            }
        }
    }
}

fn check_purity(path: &Path, code: &str, untidy: &mut Vec<String>) {
    if !PURE.contains(&module_of(path).as_str()) {
        return;
    }
    for (index, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
        for word in IMPURE.iter().filter(|word| line.contains(**word)) {
            untidy.push(format!("{}:{}: `{}` in the pure half", shown(path), index + 1, word.trim()));
        }
    }
}

fn check_fences(path: &Path, code: &str, untidy: &mut Vec<String>) {
    for (word, files) in FENCED.iter().filter(|(_, files)| !files.contains(&shown(path).as_str())) {
        for (index, _) in code.lines().enumerate().filter(|(_, line)| line.contains(word)) {
            untidy.push(format!("{}:{}: `{word}` only in {}", shown(path), index + 1, files.join(", ")));
        }
    }
}

fn check_edges(path: &Path, code: &str, untidy: &mut Vec<String>) {
    let module = module_of(path);
    let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == module) else {
        return untidy.push(format!("{}: module `{module}` is not in the table of edges", shown(path)));
    };
    let more = KNOWING_MORE.iter().find(|(name, _)| *name == shown(path)).map_or(&[][..], |(_, edges)| edges);
    for (offset, _) in code.match_indices("crate::") {
        let line = code[..offset].lines().count().max(1);
        for target in targets(&code[offset + "crate::".len()..]) {
            let own = target.split("::").next() == Some(module.as_str());
            if !own
                && !allowed
                    .iter()
                    .chain(more)
                    .any(|edge| target == *edge || target.starts_with(&format!("{edge}::")))
            {
                untidy.push(format!("{}:{line}: `{module}` must not know `{target}`", shown(path)));
            }
        }
    }
}

/// The paths named right behind a `crate::`: one, or the first level of a braced list.
fn targets(tail: &str) -> Vec<&str> {
    let path =
        |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(text.len());
    let Some(list) = tail.strip_prefix('{') else {
        return vec![tail[..path(tail)].trim_end_matches("::")];
    };
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (index, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let item = list[start..index].trim();
                found.extend((!item.is_empty()).then(|| item[..path(item)].trim_end_matches("::")));
                start = index + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}

fn module_of(path: &Path) -> String {
    let below = path.strip_prefix(root_path("src")).expect("path lies under src/");
    let first = below.components().next().expect("path has a component");
    Path::new(first.as_os_str()).file_stem().expect("component has a name").to_string_lossy().into_owned()
}

/// Every source file below, without private tests and without the workers: they belong to no room of the library.
fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("the folder is readable").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true if path.ends_with("src/workers") || path.ends_with("tests") => {}
            true => files.extend(rust_files(&path)),
            false if path.ends_with("tests.rs") || path.ends_with("testing.rs") => {}
            false if path.extension().is_some_and(|extension| extension == "rs") => files.push(path),
            false => {}
        }
    }
    files.sort();
    files
}
