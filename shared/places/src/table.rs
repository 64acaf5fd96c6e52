//! The postal codes of one country in compact form, searched as they lie. `data/postal.py` describes and
//! writes it.

use crate::point::Point;

/// Codes of a block; only the first of them is in the index.
const BLOCK: usize = 64;

/// The codes of one postal system, in order.
#[derive(Clone, Copy)]
pub(crate) struct Table {
    bytes: &'static [u8],
    index: &'static [[u8; 16]],
}

impl Table {
    pub(crate) fn new(bytes: &'static [u8]) -> Self {
        let codes = bytes.first_chunk().map_or(0, |count| u32::from_le_bytes(*count) as usize);
        let end = codes.div_ceil(BLOCK).saturating_mul(16).saturating_add(4);
        Self { bytes, index: bytes.get(4..end).unwrap_or_default().as_chunks().0 }
    }

    /// Where a code is.
    pub(crate) fn find(self, code: u32) -> Option<Point> {
        let after = self.index.partition_point(|entry| Entry::read(entry).code <= code);
        let (_, point) = self
            .block(after.checked_sub(1)?)
            .find(|(other, _)| *other >= code)
            .filter(|(other, _)| *other == code)?;
        Some(point)
    }

    /// The codes of a block.
    fn block(self, number: usize) -> impl Iterator<Item = (u32, Point)> {
        let entry = self.index.get(number).map(Entry::read);
        let end = self.index.get(number + 1).map_or(self.bytes.len(), |next| Entry::read(next).offset);
        let mut rest = entry.as_ref().and_then(|entry| self.bytes.get(entry.offset..end)).unwrap_or_default();
        let first = entry.map(|entry| (entry.code, entry.point));
        std::iter::successors(first, move |(code, point)| {
            let code = code.checked_add(varint(&mut rest)?)?;
            let latitude = point.latitude.checked_add(signed(varint(&mut rest)?))?;
            let longitude = point.longitude.checked_add(signed(varint(&mut rest)?))?;
            Some((code, Point { latitude, longitude }))
        })
    }
}

/// What the index says of a block.
struct Entry {
    code: u32,
    /// Where its other codes begin.
    offset: usize,
    point: Point,
}

impl Entry {
    fn read(bytes: &[u8; 16]) -> Self {
        let [code, offset, latitude, longitude] = [0, 4, 8, 12]
            .map(|at| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
        let point = Point { latitude: latitude.cast_signed(), longitude: longitude.cast_signed() };
        Self { code, offset: offset as usize, point }
    }
}

/// Takes a LEB128 number.
fn varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    for shift in (0..32).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Undoes the zigzag of signed numbers.
fn signed(number: u32) -> i32 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
impl Table {
    /// How many codes the table says it has.
    pub(crate) fn len(self) -> usize {
        self.bytes.first_chunk().map_or(0, |count| u32::from_le_bytes(*count) as usize)
    }

    /// All codes.
    pub(crate) fn codes(self) -> impl Iterator<Item = (u32, Point)> {
        (0..self.index.len()).flat_map(move |number| self.block(number))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn damaged_tables_find_nothing_or_something_but_never_panic(bytes: Vec<u8>, count in 0..200_u32, code: u32) {
            let mut bytes = bytes;
            for (byte, says) in bytes.iter_mut().zip(count.to_le_bytes()) {
                *byte = says;
            }
            let table = Table::new(bytes.leak());
            table.find(code);
            table.codes().count();
        }
    }
}
