//! Countries by name, regions of countries, and the places of postal codes.
//!
//! Everything is compiled in: nothing is read, fetched or allocated for good. The README says where the
//! data is from, what it covers, and how it is renewed.

mod country;
mod point;
mod postal;
mod region;
mod table;

pub use country::{CountryCode, country};
pub use point::{Point, distance_m};
pub use postal::{NoData, covered, locate};
pub use region::Region;
