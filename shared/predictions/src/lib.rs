#![doc = include_str!("../README.md")]
#![allow(clippy::float_arithmetic, reason = "a likelihood is a real number; decimals leave the crate")]
#![allow(clippy::cast_precision_loss, reason = "counts of days and orders are far below 2^52")]

mod decimal;
mod minimum;
mod model;
mod orders;
mod purchases;
mod sample;
mod value;

pub use model::{Dimension, HORIZON_DAYS, Model, PREDICTED_DAYS, Prediction, VERSION};
pub use orders::Orders;
pub use sample::{Damaged, Minimums, NotEnough, Sample};
