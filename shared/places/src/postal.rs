//! Postal codes, as people write them, and where they are.

use crate::country::CountryCode;
use crate::point::Point;
use crate::table::Table;

/// The postal codes of this country are not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the places of this country's postal codes are not known")]
pub struct NoData;

/// Countries that share one system of postal codes.
struct System {
    countries: &'static [&'static str],
    /// What is written before a code in old style, as in D-10115; the countries' codes may be as well.
    sign: &'static str,
    form: Form,
    bytes: &'static [u8],
}

/// What codes of a system look like, and what of it says the place.
enum Form {
    /// As many digits, and a tail that is not needed.
    Digits(usize, Tail),
    /// Letters and digits, of which the first three say the area. Codes have one of these lengths.
    Area(&'static [usize]),
    /// British: the outward code, and the inward code, which is not needed.
    Outward,
}

/// What may follow the digits that say the place.
enum Tail {
    None,
    /// As many digits that say the street.
    Digits(usize),
    /// As many letters that say the street.
    Letters(usize),
    /// Words: in France, that somebody fetches the post ("CEDEX 08").
    Words,
}

macro_rules! systems {
    ($($first:literal $($other:literal)*, $sign:literal, $form:expr;)*) => {
        &[$(System {
            countries: &[$first, $($other),*],
            sign: $sign,
            form: $form,
            bytes: include_bytes!(concat!("../data/", $first, ".bin")),
        }),*]
    };
}

/// All that is known.
static SYSTEMS: &[System] = systems! {
    "AT", "A", Form::Digits(4, Tail::None);
    "AU" "NF" "CX" "CC", "", Form::Digits(4, Tail::None);
    "BE", "B", Form::Digits(4, Tail::None);
    "BG", "", Form::Digits(4, Tail::None);
    "CA", "", Form::Area(&[3, 6]);
    "CY", "", Form::Digits(4, Tail::None);
    "CZ", "", Form::Digits(5, Tail::None);
    "DE", "D", Form::Digits(5, Tail::None);
    "DK", "", Form::Digits(4, Tail::None);
    "EE", "", Form::Digits(5, Tail::None);
    "ES", "E", Form::Digits(5, Tail::None);
    "FI" "AX", "FIN", Form::Digits(5, Tail::None);
    "FR" "GP" "MQ" "GF" "RE" "YT" "BL" "MF" "PM", "F", Form::Digits(5, Tail::Words);
    "GB" "IM" "JE" "GG", "", Form::Outward;
    "HR", "", Form::Digits(5, Tail::None);
    "HU", "H", Form::Digits(4, Tail::None);
    "IE", "", Form::Area(&[3, 7]);
    "IT", "I", Form::Digits(5, Tail::None);
    "LT", "", Form::Digits(5, Tail::None);
    "LU", "L", Form::Digits(4, Tail::None);
    "LV", "", Form::Digits(4, Tail::None);
    "MT", "", Form::Area(&[3, 5, 7]);
    "NL", "", Form::Digits(4, Tail::Letters(2));
    "NZ", "", Form::Digits(4, Tail::None);
    "PL", "", Form::Digits(5, Tail::None);
    "PT", "P", Form::Digits(4, Tail::Digits(3));
    "RO", "", Form::Digits(6, Tail::None);
    "SE", "S", Form::Digits(5, Tail::None);
    "SI", "", Form::Digits(4, Tail::None);
    "SK", "", Form::Digits(5, Tail::None);
    "US" "PR" "GU" "VI" "AS" "MP", "", Form::Digits(5, Tail::Digits(4));
};

/// The countries whose postal codes are known.
pub fn covered() -> impl Iterator<Item = CountryCode> {
    SYSTEMS.iter().flat_map(|system| system.countries).filter_map(|code| crate::country(code))
}

/// Where a postal code is: `None` if there is no such code.
pub fn locate(country: CountryCode, postal_code: &str) -> Result<Option<Point>, NoData> {
    let is_of = |system: &&System| system.countries.contains(&country.as_str());
    let system = SYSTEMS.iter().find(is_of).ok_or(NoData)?;
    Ok(system.key(country, postal_code).and_then(|key| Table::new(system.bytes).find(key)))
}

impl System {
    /// The number by which a code is found in the table.
    fn key(&self, country: CountryCode, postal_code: &str) -> Option<u32> {
        let code = compact(postal_code)?;
        match &self.form {
            Form::Digits(count, tail) => {
                let begins = code.find(|letter: char| letter.is_ascii_digit())?;
                let (sign, code) = code.split_at(begins);
                let is_sign = sign.is_empty() || sign == self.sign || sign == country.as_str();
                is_sign.then(|| digits(code, *count, tail)).flatten()
            }
            Form::Area(lengths) => {
                let area = code.get(..3).filter(|_| lengths.contains(&code.len()))?;
                lettered(area)
            }
            Form::Outward => lettered(outward(&code)),
        }
    }
}

/// The letters and digits of a code, in capitals. What has others, or too many, is no postal code.
fn compact(postal_code: &str) -> Option<String> {
    let mut code = String::with_capacity(16);
    for letter in postal_code.chars().filter(|letter| letter.is_alphanumeric()) {
        if !letter.is_ascii() || code.len() == 16 {
            return None;
        }
        code.push(letter.to_ascii_uppercase());
    }
    Some(code)
}

/// The number of a code of `count` digits. Spreadsheets lose zeros at the front; the number is the same.
fn digits(code: &str, count: usize, tail: &Tail) -> Option<u32> {
    let end = code.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(code.len());
    let (number, letters) = code.split_at(end);
    let may_follow = match tail {
        Tail::Words => true,
        Tail::Letters(expected) => letters.is_empty() || letters.len() == *expected,
        Tail::None | Tail::Digits(_) => letters.is_empty(),
    };
    let street = match tail {
        // No more than two zeros are at the front of any code.
        Tail::Digits(more) if (count + more - 2..=count + more).contains(&number.len()) => *more,
        _ if number.len() <= count => 0,
        _ => return None,
    };
    may_follow.then(|| number.get(..number.len() - street)?.parse().ok()).flatten()
}

/// A British code without the inward code, a digit and two letters, if it has one.
fn outward(code: &str) -> &str {
    match code.as_bytes() {
        [_, _, .., b'0'..=b'9', b'A'..=b'Z', b'A'..=b'Z'] if code.len() >= 5 => &code[..code.len() - 3],
        _ => code,
    }
}

/// The number of a short code that begins with a letter.
fn lettered(code: &str) -> Option<u32> {
    let is_short = code.len() <= 4 && code.starts_with(|letter: char| letter.is_ascii_uppercase());
    is_short.then(|| u32::from_str_radix(code, 36).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{country, distance_m};

    fn point(code: &str, postal_code: &str) -> Option<Point> {
        locate(country(code).unwrap(), postal_code).unwrap()
    }

    fn kilometers(from: (&str, &str), to: (&str, &str)) -> u64 {
        let point =
            |(country, code)| point(country, code).unwrap_or_else(|| panic!("{country} {code} is unknown"));
        distance_m(point(from), point(to)) / 1000
    }

    /// Distances between the middles of towns, as maps have them. Codes are areas: some kilometres either way.
    #[test]
    fn known_distances() {
        for (from, to, expected) in [
            (("US", "10001"), ("US", "90210"), 3_950), // Manhattan - Beverly Hills
            (("US", "10001"), ("US", "19103"), 130),   // Manhattan - Philadelphia
            (("US", "99501"), ("US", "96815"), 4_480), // Anchorage - Waikiki
            (("US", "99501"), ("US", "99503"), 3),     // within Anchorage
            (("US", "99501"), ("US", "99505"), 14),    // Anchorage - the base beside it
            (("US", "99501"), ("US", "99701"), 420),   // Anchorage - Fairbanks
            (("US", "33101"), ("PR", "00901"), 1_675), // Miami - San Juan
            (("DE", "10115"), ("DE", "80331"), 505),   // Berlin - Munich
            (("FR", "75001"), ("FR", "13001"), 660),   // Paris - Marseille
            (("GB", "SW1A"), ("GB", "EH1"), 534),      // Westminster - Edinburgh
            (("GB", "SW1A"), ("FR", "75001"), 343),    // Westminster - Paris
            (("IE", "D02"), ("IE", "T12"), 220),       // Dublin - Cork
            (("ES", "28001"), ("ES", "08001"), 505),   // Madrid - Barcelona
            (("ES", "28001"), ("PT", "1100"), 500),    // Madrid - Lisbon
            (("IT", "00184"), ("IT", "20121"), 477),   // Rome - Milan
            (("NL", "1012"), ("BE", "1000"), 174),     // Amsterdam - Brussels
            (("AT", "1010"), ("HU", "1011"), 214),     // Vienna - Budapest
            (("PL", "00-002"), ("CZ", "110 00"), 517), // Warsaw - Prague
            (("SE", "111 20"), ("FI", "00100"), 396),  // Stockholm - Helsinki
            (("DK", "1050"), ("SE", "211 20"), 28),    // Copenhagen - Malmö
            (("EE", "10111"), ("LV", "LV-1050"), 279), // Tallinn - Riga
            (("LT", "01100"), ("LV", "1050"), 262),    // Vilnius - Riga
            (("RO", "010011"), ("BG", "1000"), 296),   // Bucharest - Sofia
            (("HR", "10000"), ("SI", "1000"), 117),    // Zagreb - Ljubljana
            (("SK", "811 01"), ("AT", "1010"), 55),    // Bratislava - Vienna
            (("LU", "L-1111"), ("DE", "54290"), 38),   // Luxembourg - Trier
            (("MT", "VLT"), ("CY", "1010"), 1_719),    // Valletta - Nicosia
            (("CA", "M5V"), ("CA", "V6B"), 3_358),     // Toronto - Vancouver
            (("AU", "2000"), ("AU", "3000"), 714),     // Sydney - Melbourne
            (("AU", "2000"), ("AU", "6000"), 3_290),   // Sydney - Perth
            (("NZ", "1010"), ("NZ", "6011"), 493),     // Auckland - Wellington
            (("NZ", "1010"), ("AU", "2000"), 2_156),   // Auckland - Sydney
            (("RE", "97400"), ("FR", "75001"), 9_370), // Saint-Denis - Paris
            (("AX", "22100"), ("FI", "00100"), 280),   // Mariehamn - Helsinki
            (("JE", "JE2"), ("GB", "SO14"), 205),      // Saint Helier - Southampton
        ] {
            let distance = kilometers(from, to);
            let tolerance = 8 + expected / 100;
            assert!(distance.abs_diff(expected) <= tolerance, "{from:?} {to:?}: {distance}, not {expected}");
        }
    }

    #[test]
    fn every_code_is_found_and_lies_on_the_earth() {
        for system in SYSTEMS {
            let table = Table::new(system.bytes);
            let codes: Vec<_> = table.codes().collect();
            assert_eq!(codes.len(), table.len(), "{:?}", system.countries);
            assert!(codes.is_sorted_by(|(one, _), (other, _)| one < other), "{:?}", system.countries);
            for (code, place) in codes {
                assert_eq!(table.find(code), Some(place));
                assert!(place.latitude.abs() < 900_000 && place.longitude.abs() <= 1_800_000);
                let written = match system.form {
                    Form::Digits(count, _) => format!("{code:0count$}"),
                    Form::Area(_) | Form::Outward => base_36(code),
                };
                assert_eq!(
                    point(system.countries[0], &written),
                    Some(place),
                    "{:?} {written}",
                    system.countries
                );
            }
        }
    }

    fn base_36(mut code: u32) -> String {
        let mut letters = Vec::new();
        while code > 0 {
            letters.extend(char::from_digit(code % 36, 36));
            code /= 36;
        }
        letters.into_iter().rev().collect()
    }

    #[test]
    fn a_code_is_found_however_it_is_written() {
        for (code, plain, texts) in [
            ("US", "10001", "10001-1234|100011234|10001 1234| 10001 |10001-|US-10001"),
            ("US", "00501", "501|0501|00501-0001|5010001|501-0001|005010001"),
            ("US", "02134", "2134|2134-1000|21341000"),
            ("PR", "00901", "901|00901-1234|PR 00901"),
            ("CA", "M5V", "m5v|M5V 3L9|M5V3L9|m5v-3l9"),
            ("GB", "SW1A", "SW1A 1AA|sw1a1aa|SW1A-1AA|sw1a"),
            ("GB", "M1", "M1 1AE|m11ae|M1"),
            ("GB", "CR2", "CR2 6XH|cr26xh"),
            ("GB", "DN55", "DN55 1PT|dn551pt"),
            ("GB", "W1A", "W1A 0AX|w1a0ax"),
            ("IE", "D02", "D02 AF30|d02af30|D02"),
            ("MT", "VLT", "VLT 1117|vlt1117|VLT 05"),
            ("NL", "1012", "1012 AB|1012ab|NL-1012 AB"),
            ("PT", "1100", "1100-148|1100148|P-1100"),
            ("DE", "01067", "1067|D-01067|DE-01067|0 1067"),
            ("FR", "75008", "75008 CEDEX 08|F-75008|75 008"),
            ("FR", "01000", "1000"),
            ("IT", "00184", "184|I-00184"),
            ("LV", "1050", "LV-1050|lv1050"),
            ("LU", "1111", "L-1111|LU-1111"),
            ("PL", "00002", "00-002|PL-00-002|2"),
            ("SE", "11120", "111 20|SE-111 20|S-11120"),
            ("AU", "0800", "800|0800"),
        ] {
            let expected = point(code, plain);
            assert!(expected.is_some(), "{code} {plain}");
            for text in texts.split('|') {
                assert_eq!(point(code, text), expected, "{code} {text}");
            }
        }
    }

    #[test]
    fn other_texts_are_no_codes() {
        for (code, texts) in [
            (
                "US",
                "|0|00000|99999999999|1000A|M5V|123456|10001-12345|09012|34002|１０００１|A-10001|DE-10001",
            ),
            ("CA", "|10001|M5|M5V3|M5V3L|M5V3L99|H0H 0H0|0M5"),
            ("GB", "|10001|SW|SW1A1|ZZ99 9ZZ|SW1A 1A|1AA|E20 1AA1AA"),
            ("DE", "|00000|101155|1011A|ABC|D-|Berlin"),
            ("NL", "|1012 A|1012 ABC|10123"),
            ("PT", "|11001|11001481|0000"),
            ("IE", "|D0|D02AF|Dublin 2|ABCDEFG"),
        ] {
            for text in texts.split('|') {
                assert_eq!(point(code, text), None, "{code} {text:?}");
            }
        }
    }

    #[test]
    fn countries_without_data_say_so() {
        for code in ["GR", "CH", "NO", "JP", "BR", "MX", "FM", "GL", "GI", "XK"] {
            assert_eq!(locate(country(code).unwrap(), "10001"), Err(NoData), "{code}");
        }
        assert!(covered().all(|country| locate(country, "").is_ok()));
        assert_eq!(covered().count(), SYSTEMS.iter().map(|system| system.countries.len()).sum::<usize>());
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(code in "\\PC*", name in "\\PC*") {
            country(&name);
            for country in covered() {
                let _ = locate(country, &code);
            }
        }

        #[test]
        fn no_code_is_too_much(code in "[A-Za-z0-9 -]{0,18}") {
            for country in covered() {
                let _ = locate(country, &code);
            }
        }
    }
}
