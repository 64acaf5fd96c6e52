//! What every platform's adapter is made of: the sans-IO [`Platform`] trait, the signature schemes, the
//! envelope that travels through the queue, and the receiver that serves any platform as a Lambda function.

mod adapter;
pub mod address;
mod batch;
mod envelope;
pub mod lenient;
mod oauth;
mod queue;
mod raw_queue;
pub mod reading;
pub mod receiver;
mod secret_store;
pub mod signature;

pub use adapter::{
    ApiRequest, Authorization, Connection, Description, Feed, Fetched, Headers, Mapping, Pace, Page, Period,
    Platform, Record, Rejection, Request, Secrets, Span, Verdict,
};
pub use batch::send_all;
pub use envelope::{Delivery, Unverified, Verified};
pub use oauth::{ClientProof, Learn, OAuth, learn_nothing};
pub use queue::{Claim, DIGEST_CHARS, Label, MAX_BODY_BYTES, MessageError, Parcel, TooLarge};
pub use raw_queue::RawQueue;
pub use secret_store::{SecretError, SecretStore};
pub use signature::Proof;
