//! Asking Dutchie.
