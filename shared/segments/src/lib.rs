#![doc = include_str!("../README.md")]

mod amount;
mod atom;
mod bits;
mod calendar;
mod codec;
mod compile;
mod consent;
mod date;
pub mod definition;
mod event;
mod explain;
mod filter;
mod funnel;
mod json;
mod members;
pub mod naive;
mod orders;
mod parse;
mod place;
mod program;
mod property;
mod selector;
mod series;
mod state;
mod table;
mod window;

pub use definition::{Definition, DefinitionError};
pub use event::{Cause, Event, Transition};
pub use explain::{ConditionExplanation, Explanation};
pub use program::{Account, CompileError, Needs, Program, Segment};
pub use state::{DecodeError, State};
