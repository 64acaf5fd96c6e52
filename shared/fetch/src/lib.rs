#![doc = include_str!("../README.md")]

mod circuit;
mod client;
mod error;
mod fetcher;
mod gate;
mod hosts;
mod http;
mod kept;
mod keys;
mod oauth1;
mod quota;
mod secrets;

pub use client::Client;
pub use error::Error;
pub use fetcher::Fetcher;
pub use hosts::Hosts;
pub use http::Limits;
pub use keys::PublicKeys;
