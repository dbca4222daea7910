//! Links on which encryption is forbidden.

use bundle_spec::security::{Service, operations};

use super::*;

fn clear() -> LinkClass {
    LinkClass { clear_only: true, ..LinkClass::plain("radio") }
}

fn leaving(place: &Place, destination: &str) -> Result<Outgoing, Stop> {
    let outgoing = Outgoing { clear_only: true, ..place.outgoing(destination) };
    place.guard.secure(&place.handle, outgoing)
}

#[tokio::test]
async fn what_leaves_is_signed_for_the_link_and_loses_that_signature_where_it_arrives() {
    let clinic = Place::new("dtn://clinic/", &[]);
    let mut ferry = Place::new("dtn://ferry/", &[]);
    let plain = clinic.outgoing("dtn://village/in").header;
    let signed = leaving(&clinic, "dtn://village/in").unwrap();
    let found = operations(&signed.header).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].service, found[0].target), (Service::Integrity, 1));
    assert_eq!(signed.header.primary().raw(), plain.primary().raw());
    assert!(signed.sealed.is_none());
    let (header, _, adu) = ferry.receive_over(clear(), &signed.header, PAYLOAD).await.unwrap();
    assert_eq!((header, adu.as_deref()), (plain, Some(PAYLOAD)));
}

#[tokio::test]
async fn what_others_made_is_signed_for_the_link_too() {
    let clinic = Place::new("dtn://clinic/", &[]);
    let ferry = Place::new("dtn://ferry/", &["sign payload,primary with mesh"]);
    let outgoing = Outgoing { clear_only: true, ..clinic.outgoing("dtn://village/in") };
    put(&ferry.handle, PAYLOAD);
    let signed = ferry.guard.secure(&ferry.handle, outgoing).unwrap();
    let found = operations(&signed.header).unwrap();
    assert_eq!(found.len(), 1, "rules are for what is made here");
    assert_eq!(found[0].source, ferry.node.endpoint("pannier-link", 4559));
}

#[tokio::test]
async fn a_signature_by_the_rules_serves_the_link_and_stays() {
    let clinic = Place::new("dtn://clinic/", &["sign payload,primary with mesh"]);
    let mut ferry = Place::new("dtn://ferry/", &[]);
    let signed = leaving(&clinic, "dtn://village/in").unwrap();
    let sources = operations(&signed.header).unwrap().into_iter().map(|found| found.source);
    assert!(sources.eq([clinic.node.eid().clone(), clinic.node.eid().clone()]));
    let (header, ..) = ferry.receive_over(clear(), &signed.header, PAYLOAD).await.unwrap();
    assert_eq!(header.raw(), signed.header.raw());
}

#[tokio::test]
async fn what_comes_unsigned_forged_or_as_an_unsigned_fragment_is_refused() {
    let clinic = Place::new("dtn://clinic/", &[]);
    let mut ferry = Place::new("dtn://ferry/", &[]);
    let plain = clinic.outgoing("dtn://village/in").header;
    assert_eq!(ferry.receive_over(clear(), &plain, PAYLOAD).await, Err(Refusal::Malformed));
    let signed = leaving(&clinic, "dtn://village/in").unwrap().header;
    let mut forged = PAYLOAD.to_vec();
    forged[3] ^= 1;
    assert_eq!(ferry.receive_over(clear(), &signed, &forged).await, Err(Refusal::Malformed));
    let part = fragment::split(&plain, &[5]).unwrap().swap_remove(0);
    assert_eq!(ferry.receive_over(clear(), &part, &PAYLOAD[..5]).await, Err(Refusal::Malformed));
    assert!(ferry.metrics().contains("pannier_security_failures_total{why=\"missing\"} 2"));
}

#[test]
fn what_is_or_would_be_encrypted_does_not_leave() {
    let clinic = Place::new("dtn://clinic/", &SOURCE_RULES);
    let refused = leaving(&clinic, "dtn://hospital/lab").map(drop);
    assert!(matches!(refused, Err(Stop::Clear)), "{refused:?}");
    let sealed = clinic.guard.secure(&clinic.handle, clinic.outgoing("dtn://hospital/lab")).unwrap();
    let ferry = Place::new("dtn://ferry/", &[]);
    let relayed = Outgoing { clear_only: true, sealed: None, ..sealed };
    let refused = ferry.guard.secure(&ferry.handle, relayed).map(drop);
    assert!(matches!(refused, Err(Stop::Clear)), "{refused:?}");
}
