//! What a beacon says: who sends it, where its convergence layers listen, when the next one comes.
//!
//! The form is that of `dtnd` 0.21, version 7: a CBOR array of version, flags, node ID, sequence number and,
//! as the flags say, services and period.

use std::time::Duration;

use bundle_spec::{Eid, NodeId};
use minicbor::{Decoder, Encoder, data::Type, decode, encode};

/// Longest beacon that is looked at, in bytes.
pub(super) const BEACON_BYTES_MAX: usize = 4096;
/// Most convergence layers that a beacon may name.
const LAYERS_MAX: u64 = 16;
/// Longest name of a convergence layer that is looked at, in bytes.
const NAME_BYTES_MAX: usize = 32;
const VERSION: u8 = 7;
const HAS_SOURCE: u8 = 1;
const HAS_SERVICES: u8 = 2;
const HAS_PERIOD: u8 = 4;

/// One beacon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Beacon {
    /// Who sends it.
    pub(super) node: NodeId,
    /// How many were sent before to the same place.
    pub(super) sequence: u32,
    /// Where the sender's convergence layers listen: name and port.
    pub(super) layers: Vec<(String, u16)>,
    /// How long until the next one, in whole seconds.
    pub(super) period: Option<Duration>,
}

impl Beacon {
    /// The bytes of a datagram.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut Encoder::new(&mut bytes)).expect("writing to memory does not fail");
        bytes
    }

    fn write(
        &self,
        encoder: &mut Encoder<&mut Vec<u8>>,
    ) -> Result<(), encode::Error<std::convert::Infallible>> {
        let (has_services, has_period) = (!self.layers.is_empty(), self.period.is_some());
        let services = if has_services { HAS_SERVICES } else { 0 };
        let period = if has_period { HAS_PERIOD } else { 0 };
        encoder.array(4 + u64::from(has_services) + u64::from(has_period))?;
        encoder
            .u8(VERSION)?
            .u8(HAS_SOURCE | services | period)?
            .encode(self.node.eid())?
            .u32(self.sequence)?;
        if has_services {
            encoder.array(2)?.array(u64::try_from(self.layers.len()).expect("a length fits 64 bits"))?;
            for (name, port) in &self.layers {
                encoder.array(2)?.str(name)?.u16(*port)?;
            }
            encoder.map(0)?;
        }
        if let Some(period) = self.period {
            encoder.u64(period.as_secs())?;
        }
        Ok(())
    }

    /// Reads a datagram.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, decode::Error> {
        if bytes.len() > BEACON_BYTES_MAX {
            return Err(decode::Error::message("the beacon is too long"));
        }
        let mut decoder = Decoder::new(bytes);
        let elements = definite(decoder.array()?)?;
        if decoder.u8()? != VERSION {
            return Err(decode::Error::message("the beacon is not of version 7"));
        }
        let flags = decoder.u8()?;
        let services = flags & HAS_SERVICES != 0;
        let period = flags & HAS_PERIOD != 0;
        if flags & HAS_SOURCE == 0 || elements != 4 + u64::from(services) + u64::from(period) {
            return Err(decode::Error::message("the beacon's flags do not say what is in it"));
        }
        let source: Eid = decoder.decode()?;
        let node = source.node_id().filter(|_| !source.is_none() && !source.is_local_node());
        let node = node.ok_or_else(|| decode::Error::message("the beacon names no node"))?;
        let sequence = decoder.u32()?;
        let layers = if services { layers(&mut decoder)? } else { Vec::new() };
        let period = period.then(|| decoder.u64()).transpose()?.map(Duration::from_secs);
        if decoder.position() != bytes.len() {
            return Err(decode::Error::message("something follows the beacon"));
        }
        Ok(Self { node, sequence, layers, period })
    }
}

/// Layers with a port, of names that are not too long. What else is offered is passed over.
fn layers(decoder: &mut Decoder<'_>) -> Result<Vec<(String, u16)>, decode::Error> {
    let mut layers = Vec::new();
    match definite(decoder.array()?)? {
        0 => return Ok(layers),
        2 => {}
        _ => return Err(decode::Error::message("services are two lists")),
    }
    let count = definite(decoder.array()?)?;
    if count > LAYERS_MAX {
        return Err(decode::Error::message("the beacon names too many convergence layers"));
    }
    for _ in 0..count {
        if definite(decoder.array()?)? != 2 {
            return Err(decode::Error::message("a convergence layer is a name and a port"));
        }
        let name = decoder.str()?;
        let port = match decoder.datatype()? {
            Type::Null => decoder.null().map(|()| None)?,
            _ => Some(decoder.u16()?),
        };
        if let Some(port) = port.filter(|port| *port > 0 && name.len() <= NAME_BYTES_MAX) {
            layers.push((name.to_owned(), port));
        }
    }
    if decoder.datatype()? != Type::Map {
        return Err(decode::Error::message("the second list of services is a map"));
    }
    decoder.skip()?;
    Ok(layers)
}

fn definite(len: Option<u64>) -> Result<u64, decode::Error> {
    len.ok_or_else(|| decode::Error::message("a list of a length that is not said"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `dtnd` 0.21 writes it: dtn://node1/, one convergence layer, one service, no period.
    const HEARD: &[u8] =
        b"\x85\x07\x03\x82\x01\x68//node1/\x18\x2a\x82\x81\x82\x63tcp\x19\x11\xcc\xa1\x18\x3f\x82\x18\x61\x18\x62";

    #[test]
    fn a_beacon_reads_back_from_its_bytes() {
        for layers in
            [vec![], vec![("tcp".to_owned(), 4556)], vec![("tcp".to_owned(), 1), ("mtcp".to_owned(), 2)]]
        {
            for (node, period) in [("dtn://a/", None), ("ipn:5.0", Some(Duration::from_secs(10)))] {
                let node = node.parse().unwrap();
                let beacon = Beacon { node, sequence: u32::MAX, layers: layers.clone(), period };
                assert_eq!(Beacon::decode(&beacon.encode()).unwrap(), beacon);
            }
        }
    }

    #[test]
    fn a_beacon_of_dtnd_is_understood_and_ours_has_its_form() {
        let beacon = Beacon::decode(HEARD).unwrap();
        assert_eq!((beacon.node.to_string().as_str(), beacon.sequence), ("dtn://node1/", 42));
        assert_eq!((beacon.layers.as_slice(), beacon.period), ([("tcp".to_owned(), 4556)].as_slice(), None));
        assert_eq!(
            Beacon { period: Some(Duration::from_secs(2)), ..beacon }.encode(),
            b"\x86\x07\x07\x82\x01\x68//node1/\x18\x2a\x82\x81\x82\x63tcp\x19\x11\xcc\xa0\x02"
        );
    }

    #[test]
    fn what_is_no_beacon_is_refused() {
        let put = |at: usize, byte: u8| {
            let mut bytes = HEARD.to_vec();
            bytes[at] = byte;
            bytes
        };
        let mut long = HEARD.to_vec();
        long.push(0);
        let cut = HEARD[..HEARD.len() - 1].to_vec();
        let anonymous = b"\x84\x07\x01\x82\x01\x00\x00".to_vec();
        let here = b"\x84\x07\x01\x82\x02\x82\x1a\xff\xff\xff\xff\x00\x00".to_vec();
        let crowd = Beacon {
            node: "ipn:5.0".parse().unwrap(),
            sequence: 0,
            layers: vec![("tcp".to_owned(), 1); 17],
            period: None,
        };
        let refused = [
            Vec::new(),
            put(1, 4),
            put(2, 1),
            put(2, 2),
            put(2, 7),
            put(0, 0x9f),
            long,
            cut,
            anonymous,
            here,
        ];
        for bytes in refused.into_iter().chain([crowd.encode(), vec![0; BEACON_BYTES_MAX + 1]]) {
            assert!(Beacon::decode(&bytes).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn no_bytes_make_the_beacon_reader_panic() {
        bolero::check!().with_iterations(5_000).with_type::<(Vec<u8>, u8, Vec<u8>)>().for_each(
            |(bytes, place, change)| {
                let mut near = HEARD.to_vec();
                for (at, byte) in (usize::from(*place)..near.len()).zip(change) {
                    near[at] = *byte;
                }
                for bytes in [bytes, &near] {
                    if let Ok(beacon) = Beacon::decode(bytes) {
                        assert!(beacon.layers.len() <= 16);
                        assert_eq!(Beacon::decode(&beacon.encode()).unwrap(), beacon);
                    }
                }
            },
        );
    }
}
