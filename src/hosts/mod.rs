//! Floor 10: the outside: the command line and the lines it imports and exports.

pub mod lines;
