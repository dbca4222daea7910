//! Deterministic CBOR with links (dag-cbor), as ADUs use it: [`Node`] is written, [`Fields`] and [`Item`]
//! read.
//!
//! Every reader of an ADU begins with [`Fields::read`], which checks the whole encoding before anything is
//! looked at, so that one meaning has one encoding. Reading allocates nothing and goes at most
//! [`DEPTH_MAX`] levels deep.

mod check;
mod node;

use std::collections::BTreeMap;

use self::check::{head, skip};
pub(crate) use self::node::Node;
use super::{ADU_BYTES_MAX, AduError, Value};
use crate::{
    BlockRef, Cid, Codec, NodeId,
    cbor::{ARRAY, BYTES, TEXT, UNSIGNED},
};

/// Most levels of maps and lists within one another, the ADU itself included.
pub const DEPTH_MAX: usize = 8;

/// Longest text form of a node ID, in bytes.
const NODE_ID_BYTES_MAX: usize = 1023;

const NEGATIVE: u8 = 1;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;
const FLOAT: u8 = 0xfb;
/// The tag of links.
const LINK: u64 = 42;

/// One item of an encoding that has been checked, and the key under which it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    key: &'static str,
    bytes: &'a [u8],
}

impl<'a> Item<'a> {
    /// Checks an encoding and opens it, whatever it is.
    pub(crate) fn read(key: &'static str, bytes: &'a [u8]) -> Result<Self, AduError> {
        if bytes.len() > ADU_BYTES_MAX {
            return Err(AduError::TooLong);
        }
        let malformed = |offset| AduError::Malformed { offset };
        let end = skip(bytes, 0, 0).map_err(malformed)?;
        if end != bytes.len() {
            return Err(malformed(end));
        }
        Ok(Self { key, bytes })
    }

    /// The same item by another name, for what is said of it.
    pub(crate) fn named(self, key: &'static str) -> Self {
        Self { key, ..self }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.bytes == [NULL]
    }

    /// The encoding.
    pub(crate) fn encoded(&self) -> &'a [u8] {
        self.bytes
    }

    /// That it is not what should stand under its key.
    pub(crate) fn wrong(&self) -> AduError {
        AduError::Field { key: self.key }
    }

    fn head(&self) -> (u8, u64, &'a [u8]) {
        head(self.bytes, 0).map(|(major, value, len)| (major, value, &self.bytes[len..])).expect(CHECKED)
    }

    pub(crate) fn unsigned(&self) -> Result<u64, AduError> {
        match self.head() {
            (UNSIGNED, value, _) => Ok(value),
            _ => Err(self.wrong()),
        }
    }

    pub(crate) fn boolean(&self) -> Result<bool, AduError> {
        match self.bytes {
            [FALSE] => Ok(false),
            [TRUE] => Ok(true),
            _ => Err(self.wrong()),
        }
    }

    /// Text of 1 to `max` bytes.
    pub(crate) fn text(&self, max: usize) -> Result<&'a str, AduError> {
        let text = self.any_text()?;
        if text.is_empty() {
            return Err(self.wrong());
        }
        self.within(text.len(), max)?;
        Ok(text)
    }

    /// Text of any length.
    pub(crate) fn any_text(&self) -> Result<&'a str, AduError> {
        match self.head() {
            (TEXT, _, rest) => Ok(std::str::from_utf8(rest).expect(CHECKED)),
            _ => Err(self.wrong()),
        }
    }

    pub(crate) fn bytes(&self) -> Result<&'a [u8], AduError> {
        match self.head() {
            (BYTES, _, rest) => Ok(rest),
            _ => Err(self.wrong()),
        }
    }

    pub(crate) fn array<const N: usize>(&self) -> Result<[u8; N], AduError> {
        self.bytes()?.try_into().map_err(|_| self.wrong())
    }

    pub(crate) fn is_link(&self) -> bool {
        self.head().0 == TAG
    }

    pub(crate) fn link(&self) -> Result<Cid, AduError> {
        let (TAG, _, rest) = self.head() else { return Err(self.wrong()) };
        // Behind the tag stand the two bytes of the head and the zero that all links begin with.
        rest.get(3..).and_then(|cid| Cid::from_bytes(cid).ok()).ok_or(self.wrong())
    }

    /// A link to an ADU.
    pub(crate) fn adu_link(&self) -> Result<Cid, AduError> {
        self.link_of(Codec::DagCbor)
    }

    fn link_of(&self, codec: Codec) -> Result<Cid, AduError> {
        let cid = self.link()?;
        if cid.codec() == codec { Ok(cid) } else { Err(self.wrong()) }
    }

    /// A link and the length of what it names.
    pub(crate) fn block(&self) -> Result<BlockRef, AduError> {
        let mut items = self.list(2)?;
        match (items.next(), items.next()) {
            (Some(cid), Some(len)) => Ok(BlockRef { cid: cid.link()?, len: len.unsigned()? }),
            _ => Err(self.wrong()),
        }
    }

    pub(crate) fn block_of(&self, codec: Codec) -> Result<BlockRef, AduError> {
        let block = self.block()?;
        if block.cid.codec() == codec { Ok(block) } else { Err(self.wrong()) }
    }

    /// A node ID in the form in which it is written.
    pub(crate) fn node_id(&self) -> Result<NodeId, AduError> {
        let text = self.text(NODE_ID_BYTES_MAX)?;
        let node: NodeId = text.parse().map_err(|_| self.wrong())?;
        if node.to_string() == text { Ok(node) } else { Err(self.wrong()) }
    }

    pub(crate) fn value(&self) -> Result<Value, AduError> {
        let integer = |value: u64| i64::try_from(value).map_err(|_| self.wrong());
        Ok(match self.head() {
            (UNSIGNED, value, _) => Value::Integer(integer(value)?),
            (NEGATIVE, value, _) => Value::Integer(-1 - integer(value)?),
            (TEXT, ..) => Value::Text(self.any_text()?.to_owned()),
            (ARRAY, ..) => {
                Value::List(self.list(ADU_BYTES_MAX)?.map(|item| item.value()).collect::<Result<_, _>>()?)
            }
            (SIMPLE, bits, _) if self.bytes[0] == FLOAT => Value::Float(f64::from_bits(bits)),
            _ => Value::Bool(self.boolean()?),
        })
    }

    /// The items of a list of at most `max`.
    pub(crate) fn list(&self, max: usize) -> Result<Items<'a>, AduError> {
        let (ARRAY, count, rest) = self.head() else { return Err(self.wrong()) };
        let count = usize::try_from(count).expect(CHECKED);
        self.within(count, max)?;
        Ok(Items { key: self.key, rest, count })
    }

    pub(crate) fn map(&self) -> Result<Fields<'a>, AduError> {
        let (MAP, count, rest) = self.head() else { return Err(self.wrong()) };
        Ok(Fields { key: self.key, rest, count: usize::try_from(count).expect(CHECKED) })
    }

    fn within(&self, len: usize, max: usize) -> Result<(), AduError> {
        if len > max {
            return Err(AduError::Limit { key: self.key, max });
        }
        Ok(())
    }
}

/// The items of a list, in order.
#[derive(Clone, Debug)]
pub(crate) struct Items<'a> {
    key: &'static str,
    rest: &'a [u8],
    count: usize,
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        self.count = self.count.checked_sub(1)?;
        let (bytes, rest) = self.rest.split_at(skip(self.rest, 0, 0).expect(CHECKED));
        self.rest = rest;
        Some(Item { key: self.key, bytes })
    }
}

/// The entries of a map.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    key: &'static str,
    rest: &'a [u8],
    count: usize,
}

impl<'a> Fields<'a> {
    /// Checks an encoding and opens it if it is an ADU of this type and of version 1.
    pub(crate) fn read(bytes: &'a [u8], kind: &'static str) -> Result<Self, AduError> {
        let fields = Self::read_any(bytes)?;
        match fields.need("type")?.any_text()? {
            found if found == kind => {}
            found => return Err(AduError::Unknown(excerpt(found))),
        }
        match fields.need("version")?.unsigned()? {
            1 => Ok(fields),
            version => Err(AduError::Version(version)),
        }
    }

    /// Checks an encoding and opens it if it is a map.
    pub(crate) fn read_any(bytes: &'a [u8]) -> Result<Self, AduError> {
        Item::read("type", bytes)?.map().map_err(|_| AduError::Malformed { offset: 0 })
    }

    /// All entries, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, Item<'a>)> + use<'a> {
        let mut items = Items { key: self.key, rest: self.rest, count: 2 * self.count };
        std::iter::from_fn(move || {
            let key = items.next()?.any_text().expect(CHECKED);
            Some((key, items.next()?))
        })
    }

    /// What stands under `key`, if anything does.
    pub(crate) fn get(&self, key: &'static str) -> Option<Item<'a>> {
        self.entries().find(|(found, _)| *found == key).map(|(_, item)| Item { key, ..item })
    }

    /// What stands under `key`.
    pub(crate) fn need(&self, key: &'static str) -> Result<Item<'a>, AduError> {
        self.get(key).ok_or(AduError::Field { key })
    }

    /// Refuses every key but these.
    pub(crate) fn only(self, keys: &[&str]) -> Result<Self, AduError> {
        match self.entries().find(|(key, _)| !keys.contains(key)) {
            Some((key, _)) => Err(AduError::Extra { key: excerpt(key) }),
            None => Ok(self),
        }
    }

    /// A map from text to values, of at most `max` entries with keys of 1 to `key_max` bytes.
    pub(crate) fn values(&self, max: usize, key_max: usize) -> Result<BTreeMap<String, Value>, AduError> {
        if self.count > max {
            return Err(AduError::Limit { key: self.key, max });
        }
        let entry = |(key, item): (&str, Item<'_>)| match key.len() {
            0 => Err(item.wrong()),
            len if len > key_max => Err(AduError::Limit { key: self.key, max: key_max }),
            _ => Ok((key.to_owned(), item.value()?)),
        };
        self.entries().map(entry).collect()
    }
}

/// The beginning of a text of a stranger.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(32).collect()
}

const CHECKED: &str = "the encoding has been checked";
