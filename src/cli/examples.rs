//! Two real examples for every command: the end of its long help.

pub(super) const SUBMIT: &str = "Examples:
  pannier submit --model field -p temperature=0 report.txt
  echo 'why is the sky blue?' | pannier submit --model qwen2.5 --wait=5m -";
pub(super) const FETCH: &str = "Examples:
  pannier fetch @last
  pannier fetch --wait=2d -o answer.txt bafyr4ihx2";
pub(super) const LIST: &str = "Examples:
  pannier list --state waiting
  pannier list --mine --json";
pub(super) const STATUS: &str = "Examples:
  pannier status
  pannier status @last";
pub(super) const WATCH: &str = "Examples:
  pannier watch
  pannier watch @last";
pub(super) const CANCEL: &str = "Examples:
  pannier cancel @last
  pannier cancel bafyr4ihx2";
pub(super) const SEND: &str = "Examples:
  pannier send -r dtn://clinic/incoming report.pdf
  date | pannier send -r ipn:9.42 -l 2h --report delivered -";
pub(super) const RECV: &str = "Examples:
  pannier recv -e incoming -o report.pdf
  pannier recv -e dtn://region/~news --wait=5m";
pub(super) const QUERY: &str = "Examples:
  pannier query eids
  pannier query bundles -a dtn://clinic/";
pub(super) const TRIGGER: &str = "Examples:
  pannier trigger -e incoming -c ./print.sh
  pannier trigger -e incoming --once -c ./print.sh";
pub(super) const PEER: &str = "Examples:
  pannier peer invite --name clinic --png clinic.png
  pannier peer add quic://192.168.1.7:4558";
pub(super) const JOIN: &str = "Examples:
  pannier join pannier:bq4asbwk
  wl-paste | pannier join --dry-run -";
pub(super) const SPOOL: &str = "Examples:
  pannier spool export /media/stick --max 60GB
  pannier spool import /media/stick";
pub(super) const PING: &str = "Examples:
  pannier ping dtn://clinic/
  pannier ping --wait 2d ipn:9.0";
pub(super) const MODEL: &str = "Examples:
  pannier model add qwen2.5-0.5b-q4.gguf --name qwen2.5
  pannier model list";
pub(super) const INIT: &str = "Examples:
  pannier init
  PANNIER_HOME=/media/stick/node pannier init --eid dtn://bus-7/";
pub(super) const RUN: &str = "Examples:
  pannier run
  pannier run --ready-file ready.json --set gateway.listen=off";
pub(super) const DOCTOR: &str = "Examples:
  pannier doctor
  pannier doctor --quick --json";
pub(super) const SELFTEST: &str = "Examples:
  pannier selftest
  pannier selftest --json --wait 30s";
pub(super) const KEY: &str = "Examples:
  pannier key create executors
  pannier key show --role executors";
pub(super) const BUNDLE: &str = "Examples:
  pannier bundle validate received.bundle --keys keys.json
  pannier bundle create --source dtn://a/x --destination dtn://b/y -o b x.txt";
pub(super) const COMPLETIONS: &str = "Examples:
  pannier completions bash > pannier.bash
  pannier completions zsh > _pannier";
pub(super) const MAN: &str = "Examples:
  pannier man
  pannier man --dir man1";
