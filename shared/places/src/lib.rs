//! Countries by name, regions of countries, and the places of postal codes.
