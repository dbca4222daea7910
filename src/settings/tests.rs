use std::{path::Path, time::Duration};

use super::*;

fn read(content: &str, set: &[&str]) -> Result<Loaded, SettingsError> {
    let set: Vec<String> = set.iter().map(|text| (*text).to_owned()).collect();
    understand(Paths::within(Path::new("/n")), content, &set)
}

#[test]
fn the_command_line_beats_the_file_and_the_file_beats_the_built_in_value() {
    let loaded = read("[store]\nquota = \"1GB\"\n[gateway]\nwait = \"5s\"\n", &["store.quota=2GB"]).unwrap();
    assert_eq!(loaded.settings.store.quota, 2_000_000_000);
    assert_eq!(loaded.settings.gateway.wait, Duration::from_secs(5));
    assert_eq!(loaded.settings.inference.task_time, Duration::from_secs(3600));
    let origin = |key| loaded.values.get(key).unwrap().1.clone();
    assert_eq!(origin("store.quota"), Origin::CommandLine);
    assert_eq!(origin("gateway.wait"), Origin::File("/n/pannier.toml".into()));
    assert_eq!(origin("inference.task-time"), Origin::BuiltIn);
}

#[test]
fn an_unknown_key_is_an_error_that_names_the_nearest() {
    for (content, nearest) in [
        ("[store]\nquotas = 1", "store.quota"),
        ("[store]\nkeep_free = 1", "store.keep-free"),
        ("[quic]\nlisten = \"off\"", "cla.quic.listen"),
    ] {
        let error = read(content, &[]).unwrap_err();
        assert_eq!(error.hint(), format!("did you mean `{nearest}`?"), "{error}");
    }
    let error = read("[colour]\nscheme = \"dark\"", &[]).unwrap_err();
    assert_eq!(error.to_string(), "unknown key `colour.scheme` (/n/pannier.toml)");
    assert!(matches!(read("", &["nonsense"]), Err(SettingsError::Assignment(_))));
}

#[test]
fn a_value_that_makes_no_sense_is_an_error_that_names_key_and_origin() {
    for (content, key) in [
        ("[store]\nquota = \"lots\"", "store.quota"),
        ("[store]\nquota = -1", "store.quota"),
        ("[gateway]\nlisten = \"0.0.0.0:4580\"", "gateway.listen"),
        ("[gateway]\nlisten = \"here\"", "gateway.listen"),
        ("[inference]\nthreads = 0", "inference.threads"),
        ("[inference]\nengines = [1]", "inference.engines"),
        ("[node]\neid = \"clinic\"", "node.eid"),
        ("[cla.tcpclv4]\ntls = \"yes\"", "cla.tcpclv4.tls"),
        ("[cla.mtcp]\nlisten = \"4556\"", "cla.mtcp.listen"),
        ("[cla.stcp]\nlax = \"very\"", "cla.stcp.lax"),
        ("[cla.udp]\nrate = 0", "cla.udp.rate"),
        ("[cla.ipnd]\nlisten = [\"3003\"]", "cla.ipnd.listen"),
        ("[cla.ipnd]\nperiod = \"10ms\"", "cla.ipnd.period"),
    ] {
        let error = read(content, &[]).unwrap_err();
        assert!(error.to_string().starts_with(&format!("`{key}` (/n/pannier.toml): ")), "{error}");
    }
}

#[test]
fn a_file_that_is_not_toml_is_an_error_that_names_the_line() {
    let error = read("[store]\nquota = \n", &[]).unwrap_err();
    assert!(error.to_string().starts_with("`/n/pannier.toml` line 2: "), "{error}");
}

#[test]
fn only_a_built_in_address_may_fall_back_to_a_free_port() {
    let usual = read("", &[]).unwrap().settings;
    assert!(usual.quic.listen_is_default && usual.gateway.listen_is_default);
    let chosen = read("", &["gateway.listen=127.0.0.1:0", "cla.quic.listen=off"]).unwrap().settings;
    assert!(!chosen.gateway.listen_is_default);
    assert_eq!(chosen.quic.listen, None);
}

#[test]
fn roads_to_strangers_are_off_until_somebody_opens_them() {
    let usual = read("", &[]).unwrap().settings;
    assert!(usual.tcpclv4.listen.is_none() && usual.mtcp.listen.is_none() && usual.stcp.listen.is_none());
    assert!(usual.udp.listen.is_none() && usual.ipnd.listen.is_empty() && !usual.quic.quicclav1);
    assert_eq!((usual.mtcp.lax, usual.tcpclv4.tls), (Leniency::Strict, Encryption::Require));
    let set = ["cla.tcpclv4.listen=0.0.0.0:4556", "cla.mtcp.lax=dtn7", "cla.ipnd.listen=[\"0.0.0.0:3003\"]"];
    let opened = read("", &set).unwrap().settings;
    assert_eq!(opened.tcpclv4.listen, Some("0.0.0.0:4556".parse().unwrap()));
    assert!(read("", &["cla.quic.quicclav1=on"]).unwrap().settings.quic.quicclav1);
    assert_eq!((opened.mtcp.lax, opened.ipnd.listen.len(), opened.ipnd.to.len()), (Leniency::Dtn7, 1, 2));
}

#[test]
fn where_encryption_is_forbidden_there_must_be_a_key_that_signs() {
    for road in ["tcpclv4", "mtcp", "stcp", "udp"] {
        let forbidden = format!("cla.{road}.encryption=forbidden");
        let error = read("", &[&forbidden]).unwrap_err().to_string();
        assert!(error.contains("set `security.link-key`"), "{error}");
        let error = read("", &[&forbidden, "security.link-key=radio"]).unwrap_err().to_string();
        assert!(error.contains("`security.keys` names none"), "{error}");
        let set = [&forbidden, "security.link-key=radio", "security.keys=/n/keys.json"];
        assert_eq!(read("", &set).unwrap().settings.security.link_key.as_deref(), Some("radio"));
    }
}

#[test]
fn lists_can_be_set_with_commas() {
    let settings =
        read("", &["inference.engines=echo,llama", "cla.spool.watch=[\"/media\"]"]).unwrap().settings;
    assert_eq!(settings.inference.engines, ["echo", "llama"]);
    assert_eq!(settings.spool_watch, [Path::new("/media")]);
    assert!(read("", &["inference.engines=[]"]).unwrap().settings.inference.engines.is_empty());
}

#[test]
fn the_commented_file_means_the_same_as_no_file_and_so_does_every_line_of_it() {
    let file = commented_file(&Paths::within(Path::new("/n")));
    assert!(read(&file, &[]).unwrap().values.values().all(|(_, origin)| *origin == Origin::BuiltIn));
    let uncommented: String = file
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line))
        .map(|line| format!("{line}\n"))
        .collect();
    let loaded = read(&uncommented, &[]).unwrap();
    assert_eq!(loaded.values.len(), keys::KEYS.len());
    assert!(loaded.values.values().all(|(_, origin)| matches!(origin, Origin::File(_))));
}
