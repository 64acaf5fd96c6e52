//! The segments somebody belongs to.

use std::collections::BTreeSet;

use crate::codec::{Reader, Writer};

/// A segment's id, as states keep it: six letters and digits, the usual shape, as one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    Short(u32),
    Long(String),
}

impl Id {
    pub(crate) fn of(id: &str) -> Self {
        pack(id).map_or_else(|| Self::Long(id.to_owned()), Self::Short)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members {
    /// In order.
    short: Vec<u32>,
    long: BTreeSet<String>,
}

impl Members {
    pub(crate) fn contains(&self, id: &Id) -> bool {
        match id {
            Id::Short(packed) => self.short.binary_search(packed).is_ok(),
            Id::Long(id) => self.long.contains(id),
        }
    }

    /// Makes somebody a member or not.
    pub(crate) fn set(&mut self, id: &Id, belongs: bool) {
        match (id, belongs) {
            (Id::Short(packed), _) => match (self.short.binary_search(packed), belongs) {
                (Err(place), true) => self.short.insert(place, *packed),
                (Ok(place), false) => {
                    self.short.remove(place);
                }
                _ => {}
            },
            (Id::Long(id), true) => {
                self.long.insert(id.clone());
            }
            (Id::Long(id), false) => {
                self.long.remove(id);
            }
        }
    }

    /// In the order of the ids.
    pub(crate) fn ids(&self) -> BTreeSet<String> {
        self.short.iter().filter_map(|packed| unpack(*packed)).chain(self.long.iter().cloned()).collect()
    }

    pub(crate) fn encode(&self, out: &mut Writer) {
        out.count(self.short.len());
        for id in &self.short {
            out.0.extend_from_slice(&id.to_le_bytes());
        }
        for id in &self.long {
            out.count(id.len());
            out.0.extend_from_slice(id.as_bytes());
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let mut members = Self::default();
        let count = reader.count(4)?;
        members.short.reserve_exact(count + 1);
        for chunk in reader.bytes(4 * count)?.chunks_exact(4) {
            members.short.push(u32::from_le_bytes(chunk.try_into().ok()?));
        }
        while !reader.0.is_empty() {
            let length = reader.count(1)?;
            members.long.insert(std::str::from_utf8(reader.bytes(length)?).ok()?.to_owned());
        }
        let is_possible = members.short.last().is_none_or(|last| *last < PACKED);
        (is_possible && members.short.is_sorted_by(|one, next| one < next)).then_some(members)
    }
}

/// As many ids have six characters.
const PACKED: u32 = 36_u32.pow(6);

/// Numbers are in the order of the ids.
fn pack(id: &str) -> Option<u32> {
    if id.len() != 6 {
        return None;
    }
    id.bytes().try_fold(0_u32, |packed, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            _ => return None,
        };
        Some(packed * 36 + u32::from(digit))
    })
}

fn unpack(mut packed: u32) -> Option<String> {
    let mut id = [0; 6];
    for place in id.iter_mut().rev() {
        let digit = u8::try_from(packed % 36).ok()?;
        *place = if digit < 10 { b'0' + digit } else { b'A' + digit - 10 };
        packed /= 36;
    }
    (packed == 0).then(|| id.iter().copied().map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_six_characters_take_four_bytes() {
        for id in ["000000", "ZZZZZZ", "Y6nRLr", "ABC123", "short", "longer id", ""] {
            if let Some(packed) = pack(id) {
                assert_eq!(unpack(packed).as_deref(), Some(id));
            }
        }
        assert!(pack("ABC123").is_some() && pack("Y6nRLr").is_none());
    }
}
