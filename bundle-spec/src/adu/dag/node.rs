//! Writes deterministic CBOR: whoever encodes an ADU builds a [`Node`] of it, in any order.

use std::{borrow::Cow, collections::BTreeMap};

use super::{FALSE, FLOAT, LINK, MAP, NEGATIVE, NULL, TAG, TRUE};
use crate::{
    BlockRef, Cid, NodeId,
    adu::Value,
    cbor::{ARRAY, BYTES, TEXT, UNSIGNED, len_of, put_head},
};

/// What is to be written.
#[derive(Clone, Debug)]
pub(crate) enum Node<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Integer(i64),
    Float(f64),
    Text(Cow<'a, str>),
    Bytes(&'a [u8]),
    /// Bytes that stand nowhere else.
    Octets(Vec<u8>),
    Link(Cid),
    List(Vec<Node<'a>>),
    /// In any order; keys differ.
    Map(Vec<(&'a str, Node<'a>)>),
    /// An item that is encoded already.
    Encoded(&'a [u8]),
}

impl<'a> Node<'a> {
    pub(crate) fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    pub(crate) fn node_id(node: &NodeId) -> Self {
        Self::Text(Cow::Owned(node.to_string()))
    }

    pub(crate) fn block(block: &BlockRef) -> Self {
        Self::List(vec![Self::Link(block.cid), Self::Unsigned(block.len)])
    }

    pub(crate) fn value(value: &'a Value) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::Integer(value) => Self::Integer(*value),
            Value::Float(value) => Self::Float(*value),
            Value::Text(value) => Self::text(value),
            Value::List(values) => Self::List(values.iter().map(Self::value).collect()),
        }
    }

    pub(crate) fn values(values: &'a BTreeMap<String, Value>) -> Self {
        Self::Map(values.iter().map(|(key, value)| (key.as_str(), Self::value(value))).collect())
    }

    pub(crate) fn list<T>(items: &'a [T], node: impl FnMut(&'a T) -> Self) -> Self {
        Self::List(items.iter().map(node).collect())
    }

    /// The one encoding.
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.put(&mut out);
        out
    }

    fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(NULL),
            Self::Bool(value) => out.push(if value { TRUE } else { FALSE }),
            Self::Unsigned(value) => put_head(out, UNSIGNED, value),
            Self::Integer(value) => {
                let major = if value < 0 { NEGATIVE } else { UNSIGNED };
                put_head(out, major, (value ^ (value >> 63)).unsigned_abs());
            }
            Self::Float(value) => {
                out.push(FLOAT);
                // Adding zero turns the negative zero into the positive one.
                out.extend_from_slice(&(value + 0.0).to_be_bytes());
            }
            Self::Text(text) => {
                put_head(out, TEXT, len_of(text.as_bytes()));
                out.extend_from_slice(text.as_bytes());
            }
            Self::Bytes(bytes) => {
                put_head(out, BYTES, len_of(bytes));
                out.extend_from_slice(bytes);
            }
            Self::Octets(bytes) => Node::Bytes(&bytes).put(out),
            Self::Link(cid) => {
                put_head(out, TAG, LINK);
                put_head(out, BYTES, 37);
                out.push(0);
                out.extend_from_slice(&cid.to_bytes());
            }
            Self::List(items) => {
                put_head(out, ARRAY, count(items.len()));
                items.into_iter().for_each(|item| item.put(out));
            }
            Self::Map(mut entries) => {
                entries.sort_by_key(|(key, _)| (key.len(), *key));
                put_head(out, MAP, count(entries.len()));
                for (key, node) in entries {
                    Self::text(key).put(out);
                    node.put(out);
                }
            }
            Self::Encoded(bytes) => out.extend_from_slice(bytes),
        }
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).expect("a length in memory fits 64 bits")
}
