//! Eventer in WebAssembly, without `std`'s sockets, clocks or threads: decodes and encodes
//! messages, and is a client.
//!
//! ```text
//! JavaScript                   here
//! put(byte) … ───────────────> input    transcode, open, receive: take the input, fill the output,
//! take() … until it is -1 <─── output   and say with 1 that all went well, with 0 that not
//! ```
//!
//! Bytes cross one at a time: that is slow, needs no pointers, and so no `unsafe`.

use std::cell::RefCell;
use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use hat_core::buffer::RecvBuf;
use hat_core::eventer::client::{Client, Config};
use hat_core::eventer::message::{self, InitReq};
use hat_core::eventer::{QueryParams, QueryResult};
use hat_core::protocol::Protocol;
use hat_core::sbs::{self, Decode, Encode};
use hat_core::time::Instant;

#[derive(Default)]
struct Page {
    input: Vec<u8>,
    output: VecDeque<u8>,
    client: Option<Client>,
    rx: RecvBuf,
}

thread_local! {
    static PAGE: RefCell<Page> = RefCell::default();
}

/// Exports functions: the attribute counts as unsafe because two of one name would clash when
/// linked.
macro_rules! export {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty)?) -> i32 $body:expr;)+) => {
        $(
            $(#[$doc])*
            #[allow(unsafe_code, reason = "the names are of this file alone")]
            #[unsafe(no_mangle)]
            pub extern "C" fn $name($($argument: $type)?) -> i32 {
                PAGE.with_borrow_mut(|page| ($body)(page))
            }
        )+
    };
}

export! {
    /// Appends a byte to the input.
    fn put(byte: u8) -> i32 |page: &mut Page| { page.input.push(byte); 1 };

    /// The next byte of the output, -1 behind the last one.
    fn take() -> i32 |page: &mut Page| page.output.pop_front().map_or(-1, i32::from);

    /// Decodes a message of the type numbered as in `TYPES` of the test, and encodes it again.
    fn transcode(kind: u32) -> i32 |page: &mut Page| page.transcode(kind).is_some().into();

    /// Makes a client whose name is the input; the output is what it sends.
    fn open() -> i32 |page: &mut Page| page.open().is_some().into();

    /// Gives the client the input; the output is what came of it, as text.
    fn receive() -> i32 |page: &mut Page| page.receive().is_some().into();
}

impl Page {
    fn transcode(&mut self, kind: u32) -> Option<()> {
        let bytes = Bytes::from(std::mem::take(&mut self.input));
        let output = match kind {
            0 => again::<InitReq>(&bytes),
            1 => again::<message::InitRes>(&bytes),
            2 => again::<message::StatusNotify>(&bytes),
            3 => again::<message::EventsNotify>(&bytes),
            4 => again::<message::RegisterReq>(&bytes),
            5 => again::<message::RegisterRes>(&bytes),
            6 => again::<QueryParams>(&bytes),
            7 => again::<QueryResult>(&bytes),
            _ => None,
        };
        self.output.extend(output?);
        Some(())
    }

    fn open(&mut self) -> Option<()> {
        let name = String::from_utf8(std::mem::take(&mut self.input)).ok()?;
        let init = InitReq { client_name: name.into(), ..InitReq::default() };
        let client = Client::new(Config::default(), &init, Instant::ORIGIN).ok()?;
        let tx = self.client.insert(client).tx();
        self.output.extend(tx.copy_to_bytes(tx.remaining()));
        Some(())
    }

    fn receive(&mut self) -> Option<()> {
        self.rx.feed(&std::mem::take(&mut self.input));
        let incoming =
            self.client.as_mut()?.poll(&mut self.rx, Instant::ORIGIN).ok()?.incoming()?;
        self.output.extend(format!("{incoming:?}").bytes());
        Some(())
    }
}

fn again<T: Decode + Encode>(bytes: &Bytes) -> Option<Bytes> {
    Some(sbs::encode(&sbs::decode::<T>(bytes).ok()?))
}
