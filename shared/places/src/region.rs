//! Regions: groups of countries.

use serde::Serialize;

use crate::country::CountryCode;

/// A group of countries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Region {
    /// The 27 members, and the territories with a code of their own that belong to the Union: Åland and
    /// the outermost regions of France.
    EuropeanUnion,
    /// The states, and the territories with a code of their own that the United States govern.
    UnitedStates,
}

impl Region {
    /// Whether a country is of this region.
    pub fn contains(self, country: CountryCode) -> bool {
        match self {
            Self::EuropeanUnion => matches!(
                &country.0,
                b"AT" | b"BE" | b"BG" | b"CY" | b"CZ" | b"DE" | b"DK" | b"EE" | b"ES" | b"FI" | b"FR" | b"GR" | b"HR"
                    | b"HU" | b"IE" | b"IT" | b"LT" | b"LU" | b"LV" | b"MT" | b"NL" | b"PL" | b"PT" | b"RO" | b"SE"
                    | b"SI" | b"SK"
                    // Article 349 of the Treaty on the Functioning of the Union, and the protocol on Åland.
                    | b"AX" | b"GF" | b"GP" | b"MF" | b"MQ" | b"RE" | b"YT"
            ),
            Self::UnitedStates => {
                matches!(&country.0, b"US" | b"AS" | b"GU" | b"MP" | b"PR" | b"UM" | b"VI")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::country;

    fn inside(region: Region, codes: &str) -> usize {
        codes.split(' ').filter(|code| country(code).is_some_and(|code| region.contains(code))).count()
    }

    #[test]
    fn the_union_has_27_members_and_some_far_parts() {
        let members = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE";
        assert_eq!(inside(Region::EuropeanUnion, members), 27);
        assert_eq!(inside(Region::EuropeanUnion, "AX GF GP MF MQ RE YT"), 7);
        let others = "GB US CH NO IS LI FO GL BL PM NC PF WF TF AW CW SX BQ GG JE IM GI MC SM VA AD XK TR UA";
        assert_eq!(inside(Region::EuropeanUnion, others), 0);
        assert_eq!(inside(Region::UnitedStates, members), 0);
    }

    #[test]
    fn the_united_states_have_territories() {
        assert_eq!(inside(Region::UnitedStates, "US AS GU MP PR UM VI"), 7);
        assert_eq!(inside(Region::UnitedStates, "CA MX GB FM MH PW VG BM"), 0);
    }
}
