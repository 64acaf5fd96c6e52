#![doc = include_str!("../README.md")]
#![allow(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a likelihood is a real number; what leaves the crate is a decimal again, rounded"
)]

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
