//! Bundles drawn by a script: well-formed where the script says nothing, with a deviation here and there
//! where it does. CRCs are computed over what was written, so that the deviation is judged and not its
//! checksum.

use crc::{CRC_16_IBM_SDLC, CRC_32_ISCSI, Crc};

/// A bundle by the bytes of `script`; an empty one gives the plainest bundle.
pub fn draft(script: &[u8]) -> Vec<u8> {
    let mut draft = Draft { script: script.iter(), out: Vec::new() };
    draft.bundle();
    draft.out
}

struct Draft<'a> {
    script: std::slice::Iter<'a, u8>,
    out: Vec<u8>,
}

/// Endpoints as they may be written; the first ones are usual.
const EIDS: [&[u8]; 16] = [
    b"\x82\x01\x69//here/in",
    b"\x82\x02\x82\x05\x01",
    b"\x82\x01\x00",
    b"\x82\x01\x67//node/",
    b"\x82\x02\x82\x00\x00",
    b"\x82\x02\x82\x00\x05",
    b"\x82\x02\x83\x01\x05\x01",
    b"\x82\x02\x83\x00\x00\x00",
    b"\x82\x02\x82\x1b\x00\x00\x00\x01\x00\x00\x00\x05\x01",
    b"\x82\x02\x82\x1a\xff\xff\xff\xff\x01",
    b"\x82\x01\x68//all/~x",
    b"\x82\x01\x63///",
    b"\x82\x01\x66//node",
    b"\x82\x01\x69//n\xc3\xb6/ in",
    b"\x82\x03\x61x",
    b"\x82\x01\x01",
];

/// Flags as they may be set on a bundle; the first ones are usual.
const BUNDLE_FLAGS: [u64; 12] =
    [0, 4, 0x2_0004, 1, 0x40, 2, 0x4000, 6, 0x4002, 0x18_bf98, 5, 0xffff_ffff_ffff_fffe];
/// Flags as they may be set on a block.
const BLOCK_FLAGS: [u64; 8] = [0, 1, 0x10, 2, 4, 0x68, 0x80, 0x1234];
const NUMBERS: [u64; 8] = [3, 0, 23, 24, 255, 256, 0x1_0000, u64::MAX];
const BLOCK_TYPES: [u64; 8] = [7, 10, 6, 200, 11, 12, 8, 1];

impl Draft<'_> {
    fn next(&mut self) -> usize {
        usize::from(self.script.next().copied().unwrap_or_default())
    }

    /// Whether the script wants what it wants once in `many` times.
    fn rarely(&mut self, many: usize) -> bool {
        self.next() % many == many - 1
    }

    /// One of several, the first ones far more often.
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let usual = (from.len() / 4).max(1);
        let all = self.rarely(4);
        from[self.next() % if all { from.len() } else { usual }]
    }

    fn head(&mut self, major: u8, value: u64) {
        let major = major << 5;
        if self.rarely(200) {
            self.out.push(0xc1);
        }
        let mut width = match value {
            0..24 => 0,
            24..0x100 => 1,
            0x100..0x1_0000 => 2,
            0x1_0000..0x1_0000_0000 => 4,
            _ => 8,
        };
        if width < 8 && self.rarely(250) {
            width = if width == 0 { 1 } else { width * 2 };
        }
        let info = [(0, value.to_be_bytes()[7]), (1, 24), (2, 25), (4, 26), (8, 27)];
        let info = info.iter().find(|(bytes, _)| *bytes == width).expect("one of five").1;
        self.out.push(major | info);
        self.out.extend_from_slice(&value.to_be_bytes()[8 - width..]);
    }

    fn number(&mut self, value: u64) {
        let major = u8::from(self.rarely(250));
        self.head(major, value);
    }

    /// Opens an array; whether it must be closed.
    fn array(&mut self, items: u64) -> bool {
        if self.rarely(200) {
            self.out.push(0x9f);
            return true;
        }
        let items = if self.rarely(200) { items + 1 } else { items };
        self.head(4, items);
        false
    }

    fn close(&mut self, is_open: bool) {
        if is_open {
            self.out.push(0xff);
        }
    }

    fn bytes(&mut self, data: &[u8]) {
        let len = u64::try_from(data.len()).expect("a short string");
        if self.rarely(200) {
            self.out.push(0x5f);
            self.head(2, len);
            self.out.extend_from_slice(data);
            self.out.push(0xff);
            return;
        }
        if self.rarely(200) {
            self.head(4, len);
            data.iter().for_each(|byte| self.number(u64::from(*byte)));
            return;
        }
        let major = if self.rarely(150) { 3 } else { 2 };
        self.head(major, len);
        self.out.extend_from_slice(data);
    }

    fn bundle(&mut self) {
        let is_definite = self.rarely(100);
        let blocks = self.next() % 4;
        let count = u8::try_from(blocks).expect("a small number") + 2;
        self.out.push(if is_definite { 0x80 | count } else { 0x9f });
        let time = self.pick(&[820_000_000_000, 5, 0, u64::MAX]);
        self.primary(time);
        if time == 0 && !self.rarely(4) {
            self.block(7, 50);
        }
        for number in 2..2 + u64::try_from(blocks).expect("a small number") {
            let number = if self.rarely(60) { self.pick(&NUMBERS) } else { number };
            let kind = BLOCK_TYPES[self.next() % 7];
            self.block(kind, number);
        }
        if !self.rarely(100) {
            let number = if self.rarely(60) { 33 } else { 1 };
            self.block(1, number);
        }
        if self.rarely(60) {
            let kind = self.pick(&BLOCK_TYPES);
            self.block(kind, 90);
        }
        if !is_definite && !self.rarely(60) {
            self.out.push(0xff);
        }
        if self.rarely(60) {
            self.out.push(0x00);
        }
    }

    fn primary(&mut self, time: u64) {
        let start = self.out.len();
        let flags = self.pick(&BUNDLE_FLAGS);
        let crc_type = self.pick(&[2, 1, 0, 0, 2, 1, 3, 300]);
        let has_extent = (flags & 1 == 1) != self.rarely(60);
        let items = 8 + 2 * u64::from(has_extent) + u64::from(crc_type != 0);
        let is_open = self.array(items);
        let version = if self.rarely(100) { 6 } else { 7 };
        self.number(version);
        self.number(flags);
        self.number(crc_type);
        for _ in 0..3 {
            self.eid();
        }
        let is_time_open = self.array(2);
        self.number(time);
        let sequence = self.pick(&NUMBERS);
        self.number(sequence);
        self.close(is_time_open);
        let lifetime = self.pick(&NUMBERS);
        self.number(lifetime);
        if has_extent {
            self.number(0);
            let total = self.pick(&[20, 3, 0, u64::MAX]);
            self.number(total);
        }
        self.crc(start, crc_type, is_open);
    }

    fn eid(&mut self) {
        let eid = self.pick(&EIDS);
        self.out.extend_from_slice(eid);
    }

    fn block(&mut self, kind: u64, number: u64) {
        let data = self.data(kind);
        let start = self.out.len();
        let crc_type = self.pick(&[2, 0, 1, 0, 2, 1, 3, 256]);
        let is_open = self.array(5 + u64::from(crc_type != 0));
        self.number(kind);
        self.number(number);
        let flags = self.pick(&BLOCK_FLAGS);
        self.number(flags);
        self.number(crc_type);
        self.bytes(&data);
        self.crc(start, crc_type, is_open);
    }

    /// What stands in a block of this kind.
    fn data(&mut self, kind: u64) -> Vec<u8> {
        let outer = std::mem::take(&mut self.out);
        match kind {
            _ if self.rarely(60) => self.out.extend_from_slice(&[0x40]),
            7 => {
                let age = self.pick(&NUMBERS);
                self.number(age);
            }
            10 => {
                let is_open = self.array(2);
                let limit = self.pick(&[30, 255, 0, 256]);
                self.number(limit);
                let count = self.pick(&NUMBERS);
                self.number(count);
                self.close(is_open);
            }
            6 => self.eid(),
            11 | 12 => self.out.extend_from_slice(b"\x81\x07\x01\x00"),
            _ => self.out.extend_from_slice(b"some bytes"),
        }
        std::mem::replace(&mut self.out, outer)
    }

    /// Ends the block that begins at `start` with its CRC, if it has one.
    fn crc(&mut self, start: usize, crc_type: u64, is_open: bool) {
        let len = match crc_type {
            0 => {
                self.close(is_open);
                return;
            }
            1 => 2,
            _ => 4,
        };
        self.out.push(0x40 | u8::try_from(len).expect("a small number"));
        self.out.extend_from_slice(&[0; 4][..len]);
        let block = &self.out[start..];
        let mut value = match crc_type {
            1 => Crc::<u16>::new(&CRC_16_IBM_SDLC).checksum(block).to_be_bytes().to_vec(),
            _ => Crc::<u32>::new(&CRC_32_ISCSI).checksum(block).to_be_bytes().to_vec(),
        };
        if self.rarely(60) {
            value[0] ^= 1;
        }
        let at = self.out.len() - len;
        self.out[at..].copy_from_slice(&value);
        self.close(is_open);
    }
}
