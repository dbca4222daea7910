//! Abstract security blocks (RFC 9172 §3.6): what BIBs and BCBs contain, whatever their context.
//!
//! `layout` reads them out of a header and puts changed ones back. Values stay encoded: only `context` looks
//! into them, and only for the contexts of RFC 9173.

use bytes::Bytes;

use crate::{
    bundle::BLOCKS_MAX,
    cbor::{ARRAY, BYTES, Judge, Reader, TEXT, UNSIGNED, put_head, put_unsigned},
    eid::Eid,
    error::{Error, Lax, Rule},
};

/// Most targets of a block: every block of a bundle. They are compared with one another.
const TARGETS_MAX: usize = BLOCKS_MAX + 2;
/// How deep the items of a value may be nested. Values of known contexts are not nested at all.
const DEPTH_MAX: usize = 16;
/// The flag that parameters are present.
const HAS_PARAMETERS: u64 = 0x1;
const NEGATIVE: u8 = 1;
const MAP: u8 = 5;
const TAG: u8 = 6;

/// The content of a security block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityBlock {
    /// Numbers of the blocks that are covered, each once, at least one.
    pub targets: Vec<u64>,
    /// Security context; 1 and 2 are those of RFC 9173.
    pub context: i64,
    /// Who added the block.
    pub source: Eid,
    /// What all operations share; `None` if the block says that there is nothing.
    pub parameters: Option<Vec<Field>>,
    /// What each operation has resulted in, one list per target.
    pub results: Vec<Vec<Field>>,
}

/// A parameter or a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// What it is, by the security context.
    pub id: u64,
    /// Its value: one CBOR item.
    pub value: Bytes,
}

impl Field {
    /// A field whose value is an unsigned integer.
    #[must_use]
    pub fn unsigned(id: u64, value: u64) -> Self {
        let mut out = Vec::with_capacity(9);
        put_unsigned(&mut out, value);
        Self { id, value: out.into() }
    }

    /// A field whose value is a byte string.
    #[must_use]
    pub fn bytes(id: u64, value: &[u8]) -> Self {
        let mut out = Vec::with_capacity(value.len() + 9);
        crate::cbor::put_bytes(&mut out, value);
        Self { id, value: out.into() }
    }

    /// The value as an unsigned integer.
    #[must_use]
    pub fn as_unsigned(&self) -> Option<u64> {
        self.whole(|reader| reader.expect(UNSIGNED, Rule::SecurityBlock))
    }

    /// The value as a byte string.
    #[must_use]
    pub fn as_bytes(&self) -> Option<Bytes> {
        self.whole(|reader| {
            let len = reader.expect(BYTES, Rule::SecurityBlock)?;
            let range = reader.take(len)?;
            Ok(reader.bytes().slice(range))
        })
    }

    fn whole<T>(&self, read: impl Fn(&mut Reader<'_>) -> Result<T, Error>) -> Option<T> {
        let judge = Judge::new(Lax::strict());
        let mut reader = Reader::within(&self.value, 0..self.value.len(), Rule::SecurityBlock, &judge);
        let value = read(&mut reader).ok()?;
        reader.is_at_end().then_some(value)
    }
}

impl SecurityBlock {
    /// Reads the block-type-specific data of a BIB or BCB.
    ///
    /// # Errors
    /// Which rule is broken, at which byte of the data.
    pub fn decode(data: &Bytes) -> Result<Self, Error> {
        let judge = Judge::new(Lax { local_node: true, ..Lax::strict() });
        let mut reader = Reader::within(data, 0..data.len(), Rule::SecurityBlock, &judge);
        let targets = read_targets(&mut reader)?;
        let context = read_context(&mut reader)?;
        let flags = reader.expect(UNSIGNED, Rule::SecurityBlock)?;
        let source = Eid::read(&mut reader)?;
        let parameters = match flags & HAS_PARAMETERS {
            0 => None,
            _ => Some(read_fields(&mut reader)?),
        };
        let results_at = reader.position();
        let count = reader.expect(ARRAY, Rule::SecurityResults)?;
        if usize::try_from(count) != Ok(targets.len()) {
            return Err(Error::new(results_at, Rule::SecurityResults));
        }
        let mut results = Vec::with_capacity(targets.len());
        for _ in &targets {
            results.push(read_fields(&mut reader)?);
        }
        if !reader.is_at_end() {
            return Err(Error::new(reader.position(), Rule::SecurityBlock));
        }
        Ok(Self { targets, context, source, parameters, results })
    }

    /// The block-type-specific data, in deterministic form.
    ///
    /// # Panics
    /// If there is not one list of results per target.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        assert_eq!(self.targets.len(), self.results.len(), "every target has its list of results");
        let mut out = Vec::with_capacity(128);
        put_count(&mut out, self.targets.len());
        self.targets.iter().for_each(|target| put_unsigned(&mut out, *target));
        match u64::try_from(self.context) {
            Ok(context) => put_unsigned(&mut out, context),
            Err(_) => put_head(&mut out, NEGATIVE, self.context.unsigned_abs() - 1),
        }
        put_unsigned(&mut out, if self.parameters.is_some() { HAS_PARAMETERS } else { 0 });
        self.source.put(&mut out);
        if let Some(parameters) = &self.parameters {
            put_fields(&mut out, parameters);
        }
        put_count(&mut out, self.results.len());
        self.results.iter().for_each(|fields| put_fields(&mut out, fields));
        out
    }

    /// The results of the operation on `target`; `None` if the block has no such target.
    #[must_use]
    pub fn results_for(&self, target: u64) -> Option<&[Field]> {
        let index = self.targets.iter().position(|known| *known == target)?;
        Some(&self.results[index])
    }

    /// Takes the operation on `target` out, with its results.
    pub(super) fn remove(&mut self, target: u64) -> Option<Vec<Field>> {
        let index = self.targets.iter().position(|known| *known == target)?;
        self.targets.remove(index);
        Some(self.results.remove(index))
    }
}

fn read_targets(reader: &mut Reader<'_>) -> Result<Vec<u64>, Error> {
    let start = reader.position();
    let count = reader.expect(ARRAY, Rule::SecurityTargets)?;
    let mut targets = Vec::new();
    for _ in 0..count {
        let target_at = reader.position();
        let target = reader.expect(UNSIGNED, Rule::SecurityTargets)?;
        if targets.contains(&target) || targets.len() >= TARGETS_MAX {
            return Err(Error::new(target_at, Rule::SecurityTargetCount));
        }
        targets.push(target);
    }
    if targets.is_empty() {
        return Err(Error::new(start, Rule::SecurityTargetCount));
    }
    Ok(targets)
}

fn read_context(reader: &mut Reader<'_>) -> Result<i64, Error> {
    let wrong = Error::new(reader.position(), Rule::SecurityBlock);
    let (major, value) = reader.head()?;
    let value = i64::try_from(value).map_err(|_| wrong)?;
    match major {
        UNSIGNED => Ok(value),
        NEGATIVE => Ok(-1 - value),
        _ => Err(wrong),
    }
}

fn read_fields(reader: &mut Reader<'_>) -> Result<Vec<Field>, Error> {
    let mut fields = Vec::new();
    for _ in 0..reader.expect(ARRAY, Rule::SecurityBlock)? {
        let start = reader.position();
        if reader.expect(ARRAY, Rule::SecurityBlock)? != 2 {
            return Err(Error::new(start, Rule::SecurityBlock));
        }
        let id = reader.expect(UNSIGNED, Rule::SecurityBlock)?;
        let value_at = reader.position();
        skip_item(reader)?;
        fields.push(Field { id, value: reader.bytes().slice(value_at..reader.position()) });
    }
    Ok(fields)
}

/// Goes past one item of any kind, without recursion.
fn skip_item(reader: &mut Reader<'_>) -> Result<(), Error> {
    // How many items are still to come on each level.
    let mut open = vec![1_u64];
    while let Some(left) = open.last_mut() {
        let Some(rest) = left.checked_sub(1) else {
            open.pop();
            continue;
        };
        *left = rest;
        let start = reader.position();
        if reader.peek()? >> 5 == 7 {
            skip_simple(reader)?;
            continue;
        }
        let inner = match reader.head()? {
            (BYTES | TEXT, len) => {
                reader.take(len)?;
                0
            }
            (ARRAY, count) => count,
            (MAP, count) => count.checked_mul(2).ok_or(Error::new(start, Rule::SecurityBlock))?,
            (TAG, _) => 1,
            _ => 0,
        };
        if inner > 0 {
            if open.len() >= DEPTH_MAX {
                return Err(Error::new(start, Rule::SecurityBlock));
            }
            open.push(inner);
        }
    }
    Ok(())
}

/// Goes past a simple value or a floating-point number, whose argument is no length.
fn skip_simple(reader: &mut Reader<'_>) -> Result<(), Error> {
    let start = reader.position();
    let width = match reader.peek()? & 0x1f {
        0..24 => 0,
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        31 => return Err(Error::new(start, Rule::IndefiniteItem)),
        _ => return Err(Error::new(start, Rule::ReservedHead)),
    };
    reader.take(1 + width)?;
    Ok(())
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    put_head(out, ARRAY, u64::try_from(count).expect("a count in memory fits 64 bits"));
}

fn put_fields(out: &mut Vec<u8>, fields: &[Field]) {
    put_count(out, fields.len());
    for field in fields {
        put_count(out, 2);
        put_unsigned(out, field.id);
        out.extend_from_slice(&field.value);
    }
}
