//! What follows a payload (RFC 9171 §4.1, §4.3.2): the CRC of the payload block and the break of the bundle.
//!
//! A link that streams a payload runs it past a [`PayloadTail`], which compares with what was received or
//! makes what is sent. A forwarding node keeps no tail: it makes it again.

use bytes::{BufMut, Bytes, BytesMut};

use crate::{
    bundle::Header,
    cbor::len_of,
    crc::{self, CrcType},
    error::{Error, Rule},
};

pub(super) const BREAK: u8 = 0xff;

/// Checks or makes what follows the payload: the CRC of the payload block and the break.
pub struct PayloadTail {
    crc_type: CrcType,
    running: crc::Running,
    /// How many bytes of the payload are still to come.
    left: u64,
    /// How many bytes preceded what comes next.
    position: usize,
    is_too_long: bool,
}

impl PayloadTail {
    /// For the payload behind `header`.
    #[must_use]
    pub fn new(header: &Header) -> Self {
        let crc_type = header.payload_crc();
        let mut running = crc::Running::new(crc_type);
        running.update(&header.raw()[header.payload_head().start..]);
        Self {
            crc_type,
            running,
            left: header.payload_len(),
            position: header.raw().len(),
            is_too_long: false,
        }
    }

    /// How many bytes the tail has.
    #[must_use]
    pub const fn tail_len(crc_type: CrcType) -> usize {
        crc_type.field_len() + 1
    }

    /// The next bytes of the payload.
    pub fn update(&mut self, bytes: &[u8]) {
        self.running.update(bytes);
        match self.left.checked_sub(len_of(bytes)) {
            Some(left) => self.left = left,
            None => self.is_too_long = true,
        }
        self.position = self.position.saturating_add(bytes.len());
    }

    /// Compares with the received tail, which must end with the bundle.
    ///
    /// # Errors
    /// Which rule is broken where: wrong payload length, wrong CRC, a missing break, bytes behind it.
    pub fn finish(mut self, tail: &[u8]) -> Result<(), Error> {
        if self.left != 0 || self.is_too_long {
            return Err(Error::new(self.position, Rule::PayloadLength));
        }
        check_tail(tail, self.position, self.crc_type, |head| {
            self.running.update(head);
            self.running.update(&self.crc_type.zero_field()[1..]);
            self.running.finish()
        })
    }

    /// The tail to be sent.
    ///
    /// # Panics
    /// If the payload had not the length that its header announces.
    #[must_use]
    pub fn emit(mut self) -> Bytes {
        assert_eq!(self.left, 0, "the payload is shorter than its header says");
        assert!(!self.is_too_long, "the payload is longer than its header says");
        let mut tail = BytesMut::with_capacity(Self::tail_len(self.crc_type));
        let zero_field = self.crc_type.zero_field();
        if let Some(head) = zero_field.first() {
            self.running.update(zero_field);
            tail.put_u8(*head);
            tail.put_slice(self.running.finish().as_bytes());
        }
        tail.put_u8(BREAK);
        tail.freeze()
    }
}

/// Checks what follows a payload at `position`; `value` computes the CRC, given the head of its field.
pub(super) fn check_tail(
    tail: &[u8],
    position: usize,
    crc_type: CrcType,
    value: impl FnOnce(&[u8]) -> crc::Value,
) -> Result<(), Error> {
    let field_len = crc_type.field_len();
    if let Some(head) = crc_type.zero_field().first() {
        match tail.first() {
            None => return Err(Error::new(position, Rule::Truncated)),
            Some(found) if found != head => return Err(Error::new(position, Rule::CrcField)),
            Some(_) => {}
        }
        let Some(found) = tail.get(1..field_len) else {
            return Err(Error::new(position + tail.len(), Rule::Truncated));
        };
        if !value(&tail[..1]).is(found) {
            return Err(Error::new(position, Rule::CrcMismatch));
        }
    }
    let end = position + field_len;
    match &tail[field_len..] {
        [] => Err(Error::new(end, Rule::Truncated)),
        [BREAK] => Ok(()),
        [BREAK, ..] => Err(Error::new(end + 1, Rule::TrailingBytes)),
        _ => Err(Error::new(end, Rule::PayloadNotLast)),
    }
}
