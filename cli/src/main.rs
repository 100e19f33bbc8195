//! x
#[allow(dead_code, unused_imports, unreachable_pub, reason = "the server command will use it")]
mod store;

fn main() {}
