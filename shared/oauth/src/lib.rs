#![doc = include_str!("../README.md")]

mod flow;
mod grant;
mod grants;
mod protocol;

pub use flow::{Begun, Callback, Link, Outcome, Problem, cookie_name, digest};
pub use grant::GrantStatus;
pub use grants::{Grants, Returned};
