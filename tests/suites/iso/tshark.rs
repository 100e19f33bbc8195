//! Frames that our machines write, as `tshark` reads them: the TPDUs that were meant, and nothing
//! wrong with them.

use std::path::Path;
use std::process::Command;

use bytes::{Buf, Bytes};
use hat_core::buffer::RecvBuf;
use hat_core::cotp::tpdu::{Reject, Tpdu};
use hat_core::cotp::{Answer, Cause, Config, Connection, Incoming, Reason, Selector, TpduSize};
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use hat_core::tpkt;
use hat_tests::peers::skip;

use crate::capture::{Capture, Stream, To};

const NOW: Instant = Instant::ORIGIN;

/// TPDU codes as tshark shows them.
const CR: &str = "0x0e";
const CC: &str = "0x0d";
const DR: &str = "0x08";
const DT: &str = "0x0f";
const ER: &str = "0x07";

/// Our machines, one of them behind each end of a captured connection.
struct Pair<'a> {
    capture: &'a mut Capture,
    stream: Stream,
    client: (Connection, RecvBuf),
    server: (Connection, RecvBuf),
}

impl<'a> Pair<'a> {
    fn new(capture: &'a mut Capture, client: Config, server: Config) -> Self {
        let stream = capture.stream();
        let client = Connection::connect(client, NOW).expect("a configuration");
        let server = Connection::accept(server, NOW).expect("a configuration");
        let (client, server) = ((client, RecvBuf::new()), (server, RecvBuf::new()));
        Self { capture, stream, client, server }
    }

    /// Carries over what a machine has to write, and gives what the other makes of it.
    fn carry(&mut self, to: To) -> Vec<Incoming> {
        let (from, (machine, rx)) = match to {
            To::Server => (&mut self.client.0, &mut self.server),
            To::Client => (&mut self.server.0, &mut self.client),
        };
        let octets = written(from);
        self.capture.put(&mut self.stream, to, &octets);
        rx.feed(&octets);
        let mut incoming = Vec::new();
        // an error is the end that was written, such as a refusal
        while let Ok(Polled::Incoming(one)) = machine.poll(rx, NOW) {
            incoming.push(one);
        }
        incoming
    }

    fn connect(&mut self) {
        self.carry(To::Server);
        self.carry(To::Client);
    }

    /// A message in each direction.
    fn exchange(&mut self, len: usize) {
        // no higher protocol starts with these octets
        let message = Bytes::from(vec![0; len]);
        self.client.0.send(message.clone()).expect("open");
        let received = self.carry(To::Server);
        assert!(matches!(&received[..], [Incoming::Data { data, .. }] if *data == message));
        self.server.0.send(message).expect("open");
        self.carry(To::Client);
    }
}

/// All that a machine has to write.
fn written(machine: &mut impl Protocol) -> Bytes {
    let tx = machine.tx();
    tx.copy_to_bytes(tx.remaining())
}

fn asking(calling: &[u8], called: &[u8]) -> Config {
    Config {
        local_selector: Some(Selector::from(calling)),
        remote_selector: Some(Selector::from(called)),
        ..Config::default()
    }
}

/// What tshark tells of a capture.
#[derive(Default)]
struct Dissection {
    /// Packets that it found.
    packets: usize,
    /// TPDU codes in their order.
    codes: Vec<String>,
    /// Called selectors of CRs, and of their CCs.
    called: Vec<String>,
    /// Whether CRs and CCs have expedited data.
    expedited: Vec<String>,
    /// Frames that are malformed, or have an expert's error or warning.
    complaints: Vec<String>,
}

/// What is asked for of each frame. The last two are of its experts.
const FIELDS: [&str; 6] = [
    "tpkt.length",
    "cotp.type",
    "cotp.dst-tsap",
    "cotp.transport_expedited_data_transfer",
    "_ws.expert.severity",
    "_ws.expert.message",
];

/// The number of severity "Warning"; that of "Error" is larger.
const WARNING: u32 = 0x0060_0000;

/// Runs tshark on the capture. `None` where it is not installed; says so.
fn told(test: &str, capture: &Capture) -> Option<Dissection> {
    if Command::new("tshark").arg("--version").output().is_err() {
        skip(
            &format!("iso::tshark::{test}"),
            "tshark is not installed; on Debian: apt-get install tshark",
        );
        return None;
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.pcap"));
    capture.write(&path).expect("the capture is written");
    let mut command = Command::new("tshark");
    command.args(["-n", "-d", "tcp.port==102,tpkt", "-T", "fields", "-r"]).arg(&path);
    command.args(FIELDS.into_iter().flat_map(|name| ["-e", name]));
    let output = command.output().expect("tshark runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut told = Dissection::default();
    for frame in String::from_utf8(output.stdout).expect("tshark writes UTF-8").lines() {
        told.frame(frame);
    }
    Some(told)
}

impl Dissection {
    /// Takes a line in: the values of a field stand between commas, fields between tabs.
    fn frame(&mut self, line: &str) {
        let mut fields = line
            .split('\t')
            .map(|values| values.split(',').filter(|value| !value.is_empty()).map(str::to_owned));
        let mut next = || fields.next().into_iter().flatten();
        self.packets += next().count();
        self.codes.extend(next());
        self.called.extend(next());
        self.expedited.extend(next());
        let severe = |number: String| number.parse().is_ok_and(|number: u32| number >= WARNING);
        if next().any(severe) {
            self.complaints.push(line.to_owned());
        }
    }
}

#[test]
fn a_connection() {
    let mut capture = Capture::default();
    let config = Config { disconnect_on_close: true, ..Config::default() };
    let mut pair = Pair::new(&mut capture, config, Config::default());
    pair.connect();
    for len in [0, 1, 2045, 2046, 10_000] {
        pair.exchange(len);
    }
    pair.client.0.close();
    pair.carry(To::Server);

    let Some(told) = told("a_connection", &capture) else { return };
    let mut codes = vec![CR, CC];
    codes.extend([DT; 20]);
    codes.push(DR);
    assert_eq!(told.codes, codes);
    assert!(told.complaints.is_empty(), "{:?}", told.complaints);
}

#[test]
fn selectors_and_sizes() {
    let mut capture = Capture::default();
    let selectors: [&[u8]; 5] = [&[1], &[0, 1], &[1, 2, 3], b"SIMATIC-ROOT-HMI", &[7; 32]];
    for selector in selectors {
        let mut pair = Pair::new(&mut capture, asking(&[1, 2, 3], selector), Config::default());
        pair.connect();
        pair.exchange(5);
    }
    for octets in [128, 8192, 65_531] {
        let size = TpduSize::new(octets).expect("a size");
        let config = Config { offered_size: Some(size), ..asking(&[1], &[2]) };
        let mut pair = Pair::new(&mut capture, config, Config::default());
        pair.connect();
        pair.exchange(300);
    }
    for preferred in [4096, 65_408] {
        let offered_size = TpduSize::new(preferred);
        let config = Config { offered_size, preferred_size: true, ..Config::default() };
        let accepting = Config { preferred_size: true, ..Config::default() };
        let mut pair = Pair::new(&mut capture, config, accepting);
        pair.connect();
        pair.exchange(300);
    }

    let Some(told) = told("selectors_and_sizes", &capture) else { return };
    // 3 TPDUs each way where 128 octets are agreed on
    assert_eq!(told.codes.iter().filter(|code| *code == DT).count(), 2 * (9 + 3));
    assert_eq!(told.codes.iter().filter(|code| *code == CC).count(), 10);
    let seven = format!("0x{}", "07".repeat(32));
    for (index, shown) in
        ["0x01", "0x0001", "0x010203", "SIMATIC-ROOT-HMI", &seven].into_iter().enumerate()
    {
        assert_eq!(
            told.called[2 * index..2 * index + 2],
            [shown, shown],
            "in the CR and in the CC"
        );
    }
    assert!(told.complaints.is_empty(), "{:?}", told.complaints);
}

#[test]
fn refusals() {
    let mut capture = Capture::default();
    let manual = Config { answer: Answer::Manual, ..Config::default() };
    let mut pair = Pair::new(&mut capture, asking(&[1], &[2]), manual);
    pair.carry(To::Server);
    pair.server.0.refuse(Reason::Congestion, Some("later".into())).expect("a request waits");
    pair.carry(To::Client);

    let only = Config { local_selector: Some(3.into()), ..Config::default() };
    let mut pair = Pair::new(&mut capture, asking(&[0, 1], &[0, 2]), only);
    pair.connect();

    let Some(told) = told("refusals", &capture) else { return };
    assert_eq!(told.codes, [CR, DR, CR, DR]);
    assert!(told.complaints.is_empty(), "{:?}", told.complaints);
}

/// What our server answers to a first packet.
fn answer_to(packet: &[u8]) -> Bytes {
    let mut server = Connection::accept(Config::default(), NOW).expect("a configuration");
    let mut rx = RecvBuf::new();
    rx.feed(packet);
    server.poll(&mut rx, NOW).expect_err("an invalid request");
    written(&mut server)
}

#[test]
fn errors() {
    let mut capture = Capture::default();
    // a parameter that ends behind the header: the ER holds the request up to there
    let long = answer_to(b"\x03\0\0\x0e\x09\xe0\0\0\0\x01\0\xc1\x05\x01");
    assert_eq!(long[4..9], [0x0f, 0x70, 0, 1, 3]);
    let mut stream = capture.stream();
    capture.put(&mut stream, To::Client, &long);
    // tshark takes an ER for one only with two rejected octets or fewer
    let reject = Reject {
        destination_reference: 1,
        cause: Cause::ParameterValue,
        rejected: Some(long.slice(11..13)),
    };
    let mut packets = tpkt::Connection::new(tpkt::Config::default());
    packets.send(Tpdu::Error(reject).encode().expect("short enough")).expect("a packet");
    let short = written(&mut packets);
    capture.put(&mut stream, To::Client, &short);

    let Some(told) = told("errors", &capture) else { return };
    assert_eq!((told.packets, told.codes), (2, vec![ER.to_owned()]));
    assert!(told.complaints.is_empty(), "{:?}", told.complaints);
}

#[test]
fn expedited_data() {
    let mut capture = Capture::default();
    let config = Config { expedited: true, ..Config::default() };
    let mut pair = Pair::new(&mut capture, config.clone(), config);
    pair.connect();
    pair.client.0.send_expedited(Bytes::from_static(&[0; 16])).expect("agreed on");
    pair.carry(To::Server);

    let Some(told) = told("expedited_data", &capture) else { return };
    // tshark knows ED of the classes with references only, and shows ours as the data of a packet
    assert_eq!((told.packets, told.codes), (3, vec![CR.to_owned(), CC.to_owned()]));
    assert_eq!(told.expedited, ["1", "1"]);
    assert!(told.complaints.is_empty(), "{:?}", told.complaints);
}
