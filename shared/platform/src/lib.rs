//! What every platform's adapter is made of: the sans-IO [`Platform`] trait, the signature schemes, the
//! envelope that travels through the queue, and the receiver that serves any platform as a Lambda function.

mod adapter;
mod envelope;
pub mod lenient;
pub mod signature;

pub use adapter::{
    ApiRequest, Connection, Description, Fetched, Headers, Mapping, Platform, Rejection, Request, Secrets,
    Verdict,
};
pub use envelope::{Delivery, Unverified, Verified};
pub use signature::Proof;
