//! The engine against its law, its vectors and its limits.

mod definitions;
mod law;
mod replay;
mod size;
mod typical;
mod vectors;
