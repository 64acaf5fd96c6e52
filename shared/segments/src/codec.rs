//! Numbers as bytes: in as many as they need.

use crate::series::is_possible_key;
use crate::window::NEVER;

/// No amount is larger; keeps arithmetic on decoded states in bounds.
const MAX_AMOUNT: u128 = 1 << 124;
/// Most instants at which something is due are midnights: a quarter of an hour past the hour somewhere.
pub(crate) const QUARTER: i64 = 900_000;

/// Of ten.
const POWERS: [i64; 16] = {
    let mut powers = [1; 16];
    let mut place = 1;
    while place < 16 {
        powers[place] = 10 * powers[place - 1];
        place += 1;
    }
    powers
};

// The entries of long series are most of what is read and written, and most of their numbers take one byte: that case is
// inlined.

pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn unsigned(&mut self, value: u128) {
        match u64::try_from(value) {
            Ok(small) => self.small(small),
            Err(_) => self.large(value),
        }
    }

    #[inline]
    fn small(&mut self, value: u64) {
        if value < 0x80 { self.0.push((value & 0x7f) as u8) } else { self.long(value) }
    }

    fn long(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push((value & 0x7f) as u8);
    }

    #[inline]
    pub(crate) fn small_signed(&mut self, value: i64) {
        self.small((value << 1 ^ value >> 63).cast_unsigned());
    }

    fn large(&mut self, mut value: u128) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push((value & 0x7f) as u8);
    }

    #[inline]
    pub(crate) fn signed(&mut self, value: i128) {
        if let Ok(small) = i64::try_from(value) {
            return self.small_signed(small);
        }
        self.unsigned((value << 1 ^ value >> 127).cast_unsigned());
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.unsigned(count as u128);
    }

    pub(crate) fn fingerprint(&mut self, fingerprint: u64) {
        self.0.extend_from_slice(&fingerprint.to_le_bytes()[..6]);
    }

    /// Bytes with their number before them.
    pub(crate) fn framed(&mut self, write: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        write(self);
        let length = self.0.len() - start;
        self.count(length);
        self.0[start..].rotate_left(length);
    }

    /// When something is due.
    pub(crate) fn due(&mut self, due: i64) {
        let code = match due {
            NEVER => 0,
            due if due % QUARTER == 0 => 1 + (i128::from(due / QUARTER) << 1 ^ i128::from(due) >> 127) * 2,
            due => 2 + (i128::from(due) << 1 ^ i128::from(due) >> 127) * 2,
        };
        self.unsigned(code.cast_unsigned());
    }

    #[inline]
    pub(crate) fn amount(&mut self, amount: i128, is_sum: bool) {
        if is_sum { self.sum(amount) } else { self.signed(amount) }
    }

    fn sum(&mut self, amount: i128) {
        // Sums have ten decimals, most of them zeros: their number takes four bits.
        let (mut digits, mut zeros) = (amount, 0);
        if let Ok(mut small) = i64::try_from(amount) {
            // As many as most have, at once.
            if small % POWERS[8] == 0 {
                small /= POWERS[8];
                zeros = 8;
            }
            while zeros < 15 && small % 10 == 0 {
                small /= 10;
                zeros += 1;
            }
            digits = small.into();
        } else {
            while zeros < 15 && digits % 10 == 0 {
                digits /= 10;
                zeros += 1;
            }
        }
        self.signed(digits << 4 | zeros);
    }
}

pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(crate) fn unsigned(&mut self) -> Option<u128> {
        self.small().map(u128::from).or_else(|| self.large())
    }

    /// A number of less than ten bytes, as nearly all are.
    #[inline]
    fn small(&mut self) -> Option<u64> {
        match self.0 {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.0 = rest;
                Some((*byte).into())
            }
            _ => self.long(),
        }
    }

    fn long(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for (place, byte) in self.0.iter().take(9).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * place);
            if *byte < 0x80 {
                self.0 = &self.0[place + 1..];
                return Some(value);
            }
        }
        None
    }

    #[inline]
    fn small_signed(&mut self) -> Option<i64> {
        let value = self.small()?;
        Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    fn large(&mut self) -> Option<u128> {
        let mut value = 0_u128;
        for shift in (0..).step_by(7) {
            let byte = self.bytes(1)?[0];
            let bits = u128::from(byte & 0x7f);
            if shift > 127 || (bits << shift) >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                break;
            }
        }
        Some(value)
    }

    pub(crate) fn signed(&mut self) -> Option<i128> {
        let value = self.unsigned()?;
        Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// How many follow; each takes at least so many bytes.
    pub(crate) fn count(&mut self, least_bytes: usize) -> Option<usize> {
        let count = usize::try_from(self.unsigned()?).ok()?;
        (count.checked_mul(least_bytes)? <= self.0.len()).then_some(count)
    }

    pub(crate) fn fingerprint(&mut self) -> Option<u64> {
        let mut bytes = [0; 8];
        bytes[..6].copy_from_slice(self.bytes(6)?);
        Some(u64::from_le_bytes(bytes))
    }

    pub(crate) fn due(&mut self) -> Option<i64> {
        let code = self.unsigned()?;
        let Some(zigzag) = code.checked_sub(1) else { return Some(NEVER) };
        let number = i64::try_from((zigzag >> 2).cast_signed() ^ -((zigzag >> 1 & 1).cast_signed())).ok()?;
        let due = if zigzag & 1 == 0 { number.checked_mul(QUARTER)? } else { number };
        Some(due)
    }

    #[inline]
    pub(crate) fn key(&mut self, previous: i64) -> Option<i64> {
        let key = match self.small_signed() {
            Some(change) => previous.checked_add(change)?,
            None => i64::try_from(self.signed()?.checked_add(previous.into())?).ok()?,
        };
        is_possible_key(key).then_some(key)
    }

    /// A sum that may be nothing.
    pub(crate) fn sum(&mut self) -> Option<i128> {
        self.signed().filter(|sum| sum.unsigned_abs() <= MAX_AMOUNT)
    }

    #[inline]
    pub(crate) fn amount(&mut self, is_sum: bool) -> Option<i128> {
        if is_sum {
            return self.amount_of_sum();
        }
        let amount = match self.small_signed() {
            Some(small) => small.into(),
            None => self.sum()?,
        };
        (amount != 0).then_some(amount)
    }

    fn amount_of_sum(&mut self) -> Option<i128> {
        let value = match self.small_signed() {
            Some(small) => small.into(),
            None => self.signed()?,
        };
        let power = POWERS[usize::try_from(value & 0xf).ok()?];
        let amount = (value >> 4).checked_mul(power.into())?;
        (amount != 0 && amount.unsigned_abs() <= MAX_AMOUNT).then_some(amount)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_survive(
            value in any::<i128>(),
            small in any::<i64>(),
            amount in -(1_i128 << 100)..(1_i128 << 100),
            is_sum in any::<bool>(),
        ) {
            prop_assume!(amount != 0);
            let mut out = Writer(Vec::new());
            out.signed(value);
            out.signed(small.into());
            out.amount(amount, is_sum);
            out.amount(i128::from(small | 1) * 1_000_000_000, is_sum);
            out.due(small.min(NEVER - 1));
            out.due(small / QUARTER * QUARTER);
            out.due(NEVER);
            let mut reader = Reader(&out.0);
            prop_assert_eq!(reader.signed(), Some(value));
            prop_assert_eq!(reader.signed(), Some(small.into()));
            prop_assert_eq!(reader.amount(is_sum), Some(amount));
            prop_assert_eq!(reader.amount(is_sum), Some(i128::from(small | 1) * 1_000_000_000));
            prop_assert_eq!(reader.due(), Some(small.min(NEVER - 1)));
            prop_assert_eq!(reader.due(), Some(small / QUARTER * QUARTER));
            prop_assert_eq!(reader.due(), Some(NEVER));
            prop_assert!(reader.0.is_empty());
        }
    }
}
