//! Held against naive computations.
