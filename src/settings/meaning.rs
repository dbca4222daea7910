//! From values to [`Settings`]: every value is understood once, here, and errors name the key and its origin.

use std::{net::SocketAddr, num::NonZeroU64, path::PathBuf, str::FromStr, time::Duration};

use bundle_spec::{NodeId, security::Policy};
use toml::Value;

use super::{
    Encryption, GatewaySettings, InferenceSettings, IpndSettings, Leniency, Paths, QuicSettings, SealDefault,
    SealingSettings, SecuritySettings, Settings, SettingsError, StoreSettings, StreamSettings,
    Tcpclv4Settings, UdpSettings,
    file::{Origin, Values},
    keys, quantity,
};
use crate::limits;

/// What the values mean.
///
/// # Errors
/// `Value`.
pub(super) fn settings(paths: Paths, values: &Values) -> Result<Settings, SettingsError> {
    let reader = Reader { values };
    let eid = eid(&reader)?;
    let gateway = reader.get("gateway.listen");
    let gateway_listen = gateway.listen()?;
    if let Some(address) = gateway_listen.filter(|address| !address.ip().is_loopback()) {
        return Err(gateway.wrong(&format!(
            "{address} is not a loopback address, and the gateway lets in whoever reaches it"
        )));
    }
    Ok(Settings {
        eid,
        status_reports: reader.get("node.status-reports").choice(&["off", "on"])? == 1,
        store: StoreSettings {
            path: reader.get("store.path").text()?.into(),
            quota: reader.get("store.quota").size()?,
            keep_free: reader.get("store.keep-free").size()?,
        },
        quic: quic(&reader)?,
        tcpclv4: tcpclv4(&reader)?,
        mtcp: stream(&reader, ["cla.mtcp.listen", "cla.mtcp.lax", "cla.mtcp.encryption"])?,
        stcp: stream(&reader, ["cla.stcp.listen", "cla.stcp.lax", "cla.stcp.encryption"])?,
        udp: UdpSettings {
            listen: reader.get("cla.udp.listen").listen()?,
            lax: reader.get("cla.udp.lax").leniency()?,
            rate: reader.get("cla.udp.rate").rate()?,
            clear_only: reader.get("cla.udp.encryption").forbids()?,
        },
        ipnd: ipnd(&reader)?,
        spool_watch: reader.get("cla.spool.watch").texts()?.into_iter().map(PathBuf::from).collect(),
        security: security(&reader)?,
        sealing: sealing(&reader)?,
        inference: InferenceSettings {
            engines: reader.get("inference.engines").texts()?,
            memory: reader.get("inference.memory").size()?,
            threads: reader.get("inference.threads").count()?,
            task_time: reader.get("inference.task-time").duration()?,
            keep_loaded: reader.get("inference.keep-loaded").duration()?,
        },
        gateway: GatewaySettings {
            listen: gateway_listen,
            listen_is_default: gateway.is_built_in(),
            wait: reader.get("gateway.wait").duration()?,
        },
        paths,
    })
}

fn tcpclv4(reader: &Reader<'_>) -> Result<Tcpclv4Settings, SettingsError> {
    Ok(Tcpclv4Settings {
        listen: reader.get("cla.tcpclv4.listen").listen()?,
        tls: reader.get("cla.tcpclv4.tls").encryption()?,
        authorities: reader.path("cla.tcpclv4.authorities")?,
        certificate: reader.path("cla.tcpclv4.certificate")?,
        lax: reader.get("cla.tcpclv4.lax").leniency()?,
        clear_only: reader.get("cla.tcpclv4.encryption").forbids()?,
    })
}

fn eid(reader: &Reader<'_>) -> Result<Option<String>, SettingsError> {
    let eid = reader.find("node.eid").map(|found| found.text()).transpose()?.filter(|eid| !eid.is_empty());
    if let Some(eid) = &eid {
        NodeId::from_str(eid)
            .map_err(|_| reader.get("node.eid").wrong("not a node's endpoint identifier"))?;
    }
    Ok(eid)
}

fn quic(reader: &Reader<'_>) -> Result<QuicSettings, SettingsError> {
    let listen = reader.get("cla.quic.listen");
    Ok(QuicSettings {
        listen: listen.listen()?,
        listen_is_default: listen.is_built_in(),
        quicclav1: reader.get("cla.quic.quicclav1").choice(&["off", "on"])? == 1,
    })
}

fn stream(reader: &Reader<'_>, keys: [&'static str; 3]) -> Result<StreamSettings, SettingsError> {
    let [listen, lax, encryption] = keys.map(|key| reader.get(key));
    Ok(StreamSettings { listen: listen.listen()?, lax: lax.leniency()?, clear_only: encryption.forbids()? })
}

fn ipnd(reader: &Reader<'_>) -> Result<IpndSettings, SettingsError> {
    let period = reader.get("cla.ipnd.period");
    let seconds = period.duration()?;
    if seconds < Duration::from_secs(1) {
        return Err(period.wrong("must be at least a second"));
    }
    Ok(IpndSettings {
        listen: reader.get("cla.ipnd.listen").listens()?,
        to: reader.get("cla.ipnd.to").listens()?,
        period: seconds,
        lax: reader.get("cla.ipnd.lax").leniency()?,
    })
}

fn security(reader: &Reader<'_>) -> Result<SecuritySettings, SettingsError> {
    let keys = reader.find("security.keys").map(|found| found.text()).transpose()?;
    let found = reader.get("security.rules");
    let lines = found.texts()?;
    let rules = Policy::parse(lines.iter().map(String::as_str));
    let rules = rules.map_err(|error| found.wrong(&error.to_string()))?;
    let keys = keys.filter(|path| !path.is_empty()).map(PathBuf::from);
    let named = rules.rules().iter().find_map(|rule| rule.key.as_deref());
    if let (Some(name), None) = (named, &keys) {
        return Err(found.wrong(&format!("a rule names the key `{name}`, and `security.keys` names no file")));
    }
    let link_key = link_key(reader, keys.is_some())?;
    Ok(SecuritySettings { keys, link_key, rules })
}

/// The key that signs where encryption is forbidden: there must be one if that is anywhere.
fn link_key(reader: &Reader<'_>, has_keys: bool) -> Result<Option<String>, SettingsError> {
    let found = reader.find("security.link-key");
    let name = found.as_ref().map(Found::text).transpose()?.filter(|name| !name.is_empty());
    if let (Some(found), Some(name), false) = (&found, &name, has_keys) {
        return Err(found.wrong(&format!("the key `{name}` is in no file: `security.keys` names none")));
    }
    for key in keys::ENCRYPTION_KEYS {
        let encryption = reader.get(key);
        if encryption.forbids()? && name.is_none() {
            return Err(encryption.wrong(
                "what goes where encryption is forbidden is signed: set `security.link-key` to the name of \
                 an HMAC key in `security.keys`",
            ));
        }
    }
    Ok(name)
}

fn sealing(reader: &Reader<'_>) -> Result<SealingSettings, SettingsError> {
    let places = [SealDefault::Auto, SealDefault::Open, SealDefault::Group];
    let keep = reader.get("sealing.keep");
    let duration = keep.duration()?;
    if duration < Duration::from_secs(60) || duration > limits::LIFETIME_MAX {
        return Err(keep.wrong("must be between a minute and 366 days"));
    }
    Ok(SealingSettings {
        default: places[reader.get("sealing.default").choice(keys::SEAL_DEFAULTS)?],
        role: reader.get("sealing.role").text()?,
        keep: duration,
    })
}

struct Reader<'a> {
    values: &'a Values,
}

impl<'a> Reader<'a> {
    fn find(&self, key: &'static str) -> Option<Found<'a>> {
        self.values.get(key).map(|(value, origin)| Found { key, value, origin })
    }

    /// A path that need not be set.
    fn path(&self, key: &'static str) -> Result<Option<PathBuf>, SettingsError> {
        Ok(self.find(key).map(|found| found.text()).transpose()?.map(PathBuf::from))
    }

    fn get(&self, key: &'static str) -> Found<'a> {
        self.find(key).expect("whoever may have no value is looked for by `find`")
    }
}

/// A value with what an error message needs.
struct Found<'a> {
    key: &'static str,
    value: &'a Value,
    origin: &'a Origin,
}

impl Found<'_> {
    fn wrong(&self, detail: &str) -> SettingsError {
        SettingsError::Value { key: self.key, origin: self.origin.clone(), detail: detail.to_owned() }
    }

    fn is_built_in(&self) -> bool {
        *self.origin == Origin::BuiltIn
    }

    fn text(&self) -> Result<String, SettingsError> {
        self.value.as_str().map(str::to_owned).ok_or_else(|| self.wrong("must be a text in quotes"))
    }

    /// Several texts. A text with commas will do, so that `--set` needs no brackets.
    fn texts(&self) -> Result<Vec<String>, SettingsError> {
        let wrong = || self.wrong("must be a list of texts, like [\"one\", \"two\"]");
        match self.value {
            Value::String(text) => Ok(text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()),
            Value::Array(array) => {
                array.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
            }
            _ => Err(wrong()),
        }
    }

    fn size(&self) -> Result<u64, SettingsError> {
        match self.value {
            Value::Integer(bytes) => u64::try_from(*bytes).map_err(|_| self.wrong("must not be negative")),
            Value::String(text) => quantity::size(text).map_err(|error| self.wrong(&error.to_string())),
            _ => Err(self.wrong("must be a size like \"10MB\"")),
        }
    }

    fn duration(&self) -> Result<Duration, SettingsError> {
        match self.value {
            Value::Integer(0) => Ok(Duration::ZERO),
            Value::String(text) => quantity::duration(text).map_err(|error| self.wrong(&error.to_string())),
            _ => Err(self.wrong("must be a duration like \"30s\"")),
        }
    }

    fn count(&self) -> Result<u32, SettingsError> {
        let count = self.value.as_integer().and_then(|count| u32::try_from(count).ok());
        count.filter(|count| *count > 0).ok_or_else(|| self.wrong("must be a positive whole number"))
    }

    fn rate(&self) -> Result<NonZeroU64, SettingsError> {
        NonZeroU64::new(self.size()?).ok_or_else(|| self.wrong("must not be zero"))
    }

    /// The place of the value among the words that may stand there.
    fn choice(&self, words: &[&str]) -> Result<usize, SettingsError> {
        let text = self.text()?;
        let place = words.iter().position(|word| *word == text);
        place.ok_or_else(|| self.wrong(&format!("`{text}` is none of {}", words.join(", "))))
    }

    fn leniency(&self) -> Result<Leniency, SettingsError> {
        let places = [Leniency::Strict, Leniency::Dtn7, Leniency::All];
        Ok(places[self.choice(keys::LENIENCIES)?])
    }

    /// Whether encryption is forbidden.
    fn forbids(&self) -> Result<bool, SettingsError> {
        Ok(self.choice(keys::CLEARANCES)? == 1)
    }

    fn encryption(&self) -> Result<Encryption, SettingsError> {
        let places = [Encryption::Require, Encryption::Allow, Encryption::Never];
        Ok(places[self.choice(keys::ENCRYPTIONS)?])
    }

    fn listens(&self) -> Result<Vec<SocketAddr>, SettingsError> {
        let wrong = |text: &str| self.wrong(&format!("`{text}` is not an address with a port"));
        self.texts()?.iter().map(|text| text.parse().map_err(|_| wrong(text))).collect()
    }

    fn listen(&self) -> Result<Option<SocketAddr>, SettingsError> {
        let text = self.text()?;
        if text == "off" {
            return Ok(None);
        }
        let address = text.parse().map_err(|_| {
            self.wrong(&format!(
                "`{text}` is not an address with a port, like \"127.0.0.1:4580\", nor \"off\""
            ))
        })?;
        Ok(Some(address))
    }
}
