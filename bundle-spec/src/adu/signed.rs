//! The envelope of signed ADUs: `{"type", "version", "statement", "signature"}`, where the signature is an
//! untagged COSE_Sign1 with detached payload (RFC 9052 §4.2) over the encoding of the statement.
//!
//! [`super::JobResult`], [`super::Receipt`] and [`super::Cancel`] are read and written through it. What a
//! statement says is theirs.

use bytes::Bytes;

use super::{
    AduError,
    dag::{Fields, Item, Node},
};
use crate::sign::Signature;

/// Writes a signed ADU of the type `kind`.
pub(crate) fn encode(kind: &str, statement: &[u8], signature: &Signature) -> Bytes {
    let protected = signature.protected();
    let sign1 =
        vec![Node::Bytes(&protected), Node::Map(Vec::new()), Node::Null, Node::Bytes(&signature.bytes)];
    let envelope = Node::Map(vec![
        ("type", Node::text(kind)),
        ("version", Node::Unsigned(1)),
        ("statement", Node::Encoded(statement)),
        ("signature", Node::List(sign1)),
    ]);
    envelope.encode().into()
}

/// Opens a signed ADU of the type `kind`: the statement, of which `keys` are all that may stand in it, and
/// the signature, which is not checked.
pub(crate) fn open<'a>(
    bytes: &'a [u8],
    kind: &'static str,
    keys: &[&str],
) -> Result<(Fields<'a>, Signature), AduError> {
    let envelope = Fields::read(bytes, kind)?.only(&["type", "version", "statement", "signature"])?;
    let statement = envelope.need("statement")?.map()?.only(keys)?;
    Ok((statement, sign1(&envelope.need("signature")?)?))
}

fn sign1(item: &Item<'_>) -> Result<Signature, AduError> {
    let mut parts = item.list(4)?;
    let mut part = || parts.next().ok_or(item.wrong());
    let key = Signature::key_of(part()?.bytes()?).ok_or(item.wrong())?;
    let is_detached = part()?.encoded() == [0xa0] && part()?.encoded() == [0xf6];
    if !is_detached {
        return Err(item.wrong());
    }
    Ok(Signature { key, bytes: part()?.array()? })
}
