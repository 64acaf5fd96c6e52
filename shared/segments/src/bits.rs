//! A row of truth values.

/// One bit per condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub(crate) fn new(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    pub(crate) fn get(&self, index: u32) -> bool {
        self.0.get(index as usize / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Sets a bit; whether that changed it.
    pub(crate) fn set(&mut self, index: u32, value: bool) -> bool {
        let Some(word) = self.0.get_mut(index as usize / 64) else { return false };
        let mask = 1 << (index % 64);
        let before = *word;
        if value {
            *word |= mask;
        } else {
            *word &= !mask;
        }
        *word != before
    }
}
