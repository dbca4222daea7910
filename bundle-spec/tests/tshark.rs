//! Wireshark's dissector finds nothing wrong with what we emit. Runs where `tshark` is installed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Link type "user 0", which the command line maps to bundles.
const LINK_TYPE: u32 = 147;
const MAPPING: &str = r#"uat:user_dlts:"User 0 (DLT=147)","bpv7","0","","0","""#;

#[test]
fn tshark_dissects_our_vectors() {
    let version = Command::new("tshark").arg("--version").output();
    if version.is_err() {
        println!("skipped: tshark is not installed; `apt-get install tshark` installs it");
        return;
    }
    let bundles = vectors();
    let capture = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("vectors.pcap");
    fs::write(&capture, pcap(&bundles)).unwrap();
    let output = Command::new("tshark").arg("-r").arg(&capture).args(["-V", "-o", MAPPING]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let count = |needle: &str| text.lines().filter(|line| line.contains(needle)).count();
    assert_eq!(count("[Protocols in frame: user_dlt:bpv7"), bundles.len());
    for complaint in ["Malformed", "Expert Info (Error", "CRC Status: Bad"] {
        assert_eq!(count(complaint), 0, "{complaint} in\n{text}");
    }
    assert!(count("CRC Status: Good") >= 2 * bundles.len());
}

/// A classic capture file with one record per bundle.
fn pcap(bundles: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 0x1_0000, LINK_TYPE] {
        out.extend_from_slice(&u32::to_le_bytes(word));
    }
    for bundle in bundles {
        let len = u32::try_from(bundle.len()).expect("a short bundle");
        for word in [0, 0, len, len] {
            out.extend_from_slice(&u32::to_le_bytes(word));
        }
        out.extend_from_slice(bundle);
    }
    out
}

fn vectors() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let paths =
        fs::read_dir(folder).expect("the vectors are there").map(|entry| entry.expect("a file").path());
    let paths = paths.filter(|path| path.extension().is_some_and(|ending| ending == "hex"));
    paths.map(|path| unhex(fs::read_to_string(path).expect("a text").trim())).collect()
}

fn unhex(digits: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("two hex digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}
