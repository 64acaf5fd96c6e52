//! A sample as bytes, so that it can be kept while customers are still being added.

use std::collections::BTreeMap;

use super::{Group, Sample};

/// Moves when the bytes, or the classes of what they hold, mean something else.
const FORMAT: u8 = 1;

/// The bytes are not those of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these are not the bytes of a sample of this version")]
pub struct Damaged;

impl Sample {
    /// As bytes: some fifteen for each group of customers.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![FORMAT];
        out.extend_from_slice(&self.today.to_le_bytes());
        for number in [self.customers, self.loyal, self.oldest, self.newest] {
            put(&mut out, number.into());
        }
        put_groups(&mut out, &self.histories);
        put_groups(&mut out, &self.spending);
        out
    }

    /// From what [`Self::encode`] has written.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut bytes = Bytes(bytes);
        let sample = bytes.sample().ok_or(Damaged)?;
        if bytes.0.is_empty() { Ok(sample) } else { Err(Damaged) }
    }
}

fn put_groups<const N: usize>(out: &mut Vec<u8>, groups: &BTreeMap<[u8; N], Group<N>>) {
    put(out, groups.len() as u128);
    for (classes, group) in groups {
        out.extend_from_slice(classes);
        put(out, group.customers.into());
        for sum in group.sums {
            put(out, sum);
        }
    }
}

/// Seven bits a byte, the lowest first.
fn put(out: &mut Vec<u8>, mut number: u128) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or_default();
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn sample(&mut self) -> Option<Sample> {
        if self.take::<1>()? != [FORMAT] {
            return None;
        }
        Some(Sample {
            today: i64::from_le_bytes(self.take()?),
            customers: self.number()?,
            loyal: self.number()?,
            oldest: self.number()?,
            newest: self.number()?,
            histories: self.groups()?,
            spending: self.groups()?,
        })
    }

    fn groups<const N: usize>(&mut self) -> Option<BTreeMap<[u8; N], Group<N>>> {
        let mut groups = BTreeMap::new();
        for _ in 0..self.number()? {
            let classes = self.take()?;
            let mut group = Group { customers: self.number()?, sums: [0; N] };
            for sum in &mut group.sums {
                *sum = self.wide()?;
            }
            groups.insert(classes, group);
        }
        Some(groups)
    }

    fn number(&mut self) -> Option<u64> {
        self.wide()?.try_into().ok()
    }

    fn wide(&mut self) -> Option<u128> {
        let mut number = 0;
        for shift in (0..u128::BITS).step_by(7) {
            let [byte] = self.take()?;
            let bits = u128::from(byte & 0x7f);
            number |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }
}
