//! Points on the earth, and how far they are from each other.

use serde::Serialize;

/// A point on the earth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Point {
    /// Ten-thousandths of a degree north.
    pub(crate) latitude: i32,
    /// Ten-thousandths of a degree east.
    pub(crate) longitude: i32,
}

/// The mean radius of the earth in metres (IUGG R1).
const RADIUS: f64 = 6_371_008.8;

/// The great-circle distance in whole metres. The same on every machine: each operation is exactly defined,
/// and the functions are plain Rust.
#[allow(clippy::float_arithmetic, reason = "an angle between points is no amount of money")]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most half the earth's girth")]
pub fn distance_m(from: Point, to: Point) -> u64 {
    let radians = |degrees: i32| f64::from(degrees) / 10_000.0 * (std::f64::consts::PI / 180.0);
    let half_chord = |one: i32, other: i32| {
        let half = libm::sin((radians(one) - radians(other)) / 2.0);
        half * half
    };
    let parallels = libm::cos(radians(from.latitude)) * libm::cos(radians(to.latitude));
    let haversine =
        half_chord(from.latitude, to.latitude) + parallels * half_chord(from.longitude, to.longitude);
    libm::round(2.0 * RADIUS * libm::asin(libm::sqrt(haversine.min(1.0)))) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(latitude: i32, longitude: i32) -> Point {
        Point { latitude, longitude }
    }

    #[test]
    fn known_distances() {
        // A degree of a great circle, a quarter of it, half of it.
        assert_eq!(distance_m(at(0, 0), at(10_000, 0)), 111_195);
        assert_eq!(distance_m(at(0, 0), at(900_000, 0)), 10_007_557);
        assert_eq!(distance_m(at(0, 0), at(0, 1_800_000)), 20_015_114);
        // Across the date line.
        assert_eq!(distance_m(at(0, 1_795_000), at(0, -1_795_000)), 111_195);
    }

    proptest! {
        #[test]
        fn distances_are_symmetric_and_bounded(
            a in -900_000..=900_000, b in -1_800_000..=1_800_000, c in -900_000..=900_000, d in -1_800_000..=1_800_000
        ) {
            let (here, there) = (at(a, b), at(c, d));
            prop_assert_eq!(distance_m(here, there), distance_m(there, here));
            prop_assert!(distance_m(here, there) <= 20_015_114);
            prop_assert_eq!(distance_m(here, here), 0);
        }
    }
}
