//! Tillstream.
