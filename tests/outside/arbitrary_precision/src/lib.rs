//! With `serde_json`'s feature `arbitrary_precision` a number is an object to who reads it by
//! serde's traits. Any crate of a build turns it on for all of them: what `hat-core` does with
//! numbers must not depend on it, and the tests of this crate say so.
