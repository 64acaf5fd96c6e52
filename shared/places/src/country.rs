//! Countries, as shops and people write them.

use std::fmt;

use serde::Serialize;

/// Codes and folded names, in order. Made by `data/names.py`.
static NAMES: &[(&str, CountryCode)] = &include!("../data/names.rs");

/// A country or territory: ISO 3166-1 alpha-2, and `XK` for Kosovo.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryCode(pub(crate) [u8; 2]);

impl CountryCode {
    /// Two capital letters.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for CountryCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The country that `text` means: its ISO 3166-1 code (alpha-2 or alpha-3), its English name or another
/// one in use ("USA", "Holland", "Republic of Korea"), or its name in a language of its own
/// ("Deutschland"). Case, accents, spaces and punctuation do not matter.
pub fn country(text: &str) -> Option<CountryCode> {
    let found = NAMES.binary_search_by(|(name, _)| name.chars().cmp(folded(text))).ok()?;
    NAMES.get(found).map(|&(_, code)| code)
}

/// Capitals (which the two Greek sigmas share), and letters only.
fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_uppercase).filter(|letter| letter.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        country(text).map(|code| code.to_string())
    }

    #[test]
    fn codes_and_names_are_read_as_shops_write_them() {
        for (code, texts) in [
            (
                "US",
                "US|us|USA|U.S.A.| usa |United States|UNITED STATES OF AMERICA|United States (US)|America",
            ),
            (
                "GB",
                "GB|UK|GBR|United Kingdom|United Kingdom (UK)|Great Britain|England|Scotland|Northern Ireland",
            ),
            ("DE", "de|DEU|Germany|Deutschland|Allemagne|Federal Republic of Germany"),
            ("AT", "AT|AUT|Austria|Österreich|Osterreich|O\u{308}sterreich"),
            ("NL", "NL|NLD|Netherlands|The Netherlands|Nederland|Holland"),
            ("CZ", "CZ|Czechia|Czech Republic|Česko"),
            ("GR", "GR|EL|GRC|Greece|Ελλάδα|Griechenland"),
            ("ES", "ES|Spain|España|Espana|ESP"),
            ("IE", "IE|IRL|Ireland|Republic of Ireland|Éire"),
            ("CI", "CI|Côte d’Ivoire|Cote d'Ivoire|Ivory Coast"),
            ("KR", "KR|South Korea|Korea, Republic of|Republic of Korea"),
            ("TR", "TR|Turkey|Türkiye|Turkiye"),
            ("TT", "TT|Trinidad & Tobago|Trinidad and Tobago"),
            ("LC", "LC|St. Lucia|Saint Lucia|St Lucia"),
            ("KN", "St. Kitts & Nevis|Saint Kitts and Nevis"),
            ("HK", "HK|Hong Kong|Hong Kong SAR China"),
            ("MM", "Myanmar|Burma|Myanmar (Burma)"),
            ("AX", "AX|Åland Islands|Aland Islands"),
            ("PR", "PR|PRI|Puerto Rico"),
            ("BG", "България|Bulgaria"),
            ("XK", "XK|Kosovo"),
        ] {
            for text in texts.split('|') {
                assert_eq!(read(text).as_deref(), Some(code), "{text}");
            }
        }
    }

    #[test]
    fn what_names_no_country_is_not_read() {
        for text in ["", " ", "ZZ", "EU", "Atlantis", "Korea", "Berlin", "90210", "🇩🇪", "-"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn every_name_is_found() {
        assert!(NAMES.is_sorted_by(|(one, _), (other, _)| one < other));
        for (name, code) in NAMES {
            assert_eq!(country(&name.to_lowercase()), Some(*code), "{name}");
        }
    }
}
