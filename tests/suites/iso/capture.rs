//! Writes TCP streams as a capture file (pcap) of raw IPv4 packets.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Packets hold IP without a link layer (`LINKTYPE_RAW`).
const LINK_TYPE: u32 = 101;

/// What an Ethernet frame has room for.
const SEGMENT: usize = 1448;

const HEADERS: usize = 40;
const SERVER_PORT: u16 = 102;
const FLAGS_DATA: u8 = 0x18;

/// Which way octets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Server,
    Client,
}

/// Captured streams.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    packets: Vec<Vec<u8>>,
    streams: u16,
}

/// One connection of a capture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    client_port: u16,
    to_server: u32,
    to_client: u32,
}

impl Capture {
    /// A new connection.
    pub(crate) fn stream(&mut self) -> Stream {
        self.streams += 1;
        Stream { client_port: 40_000 + self.streams, to_server: 1, to_client: 1 }
    }

    /// Octets of a connection.
    pub(crate) fn put(&mut self, stream: &mut Stream, to: To, octets: &[u8]) {
        for segment in octets.chunks(SEGMENT) {
            self.packets.push(stream.packet(to, segment));
            let sent = match to {
                To::Server => &mut stream.to_server,
                To::Client => &mut stream.to_client,
            };
            *sent += segment.len() as u32;
        }
    }

    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let mut out = Vec::new();
        // magic, version 2.4, zone, accuracy, longest packet
        out.extend_from_slice(&0xa1b2_c3d4_u32.to_le_bytes());
        out.extend_from_slice(&[2, 0, 4, 0]);
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&65_535_u32.to_le_bytes());
        out.extend_from_slice(&LINK_TYPE.to_le_bytes());
        for (second, packet) in (0_u32..).zip(&self.packets) {
            let len = (packet.len() as u32).to_le_bytes();
            for field in [second.to_le_bytes(), [0; 4], len, len] {
                out.extend_from_slice(&field);
            }
            out.extend_from_slice(packet);
        }
        File::create(path)?.write_all(&out)
    }
}

impl Stream {
    /// An IPv4 packet from host 1 to host 2, or back. Checksums are zero: they are not looked at.
    fn packet(&self, to: To, segment: &[u8]) -> Vec<u8> {
        let (hosts, ports, [sequence, acknowledged]) = match to {
            To::Server => {
                ([1, 2], [self.client_port, SERVER_PORT], [self.to_server, self.to_client])
            }
            To::Client => {
                ([2, 1], [SERVER_PORT, self.client_port], [self.to_client, self.to_server])
            }
        };
        let mut packet = Vec::with_capacity(HEADERS + segment.len());
        packet.extend_from_slice(&[0x45, 0]);
        packet.extend_from_slice(&((HEADERS + segment.len()) as u16).to_be_bytes());
        packet.extend_from_slice(&[0, 0, 0, 0, 64, 6, 0, 0]);
        for host in hosts {
            packet.extend_from_slice(&[10, 0, 0, host]);
        }
        for port in ports {
            packet.extend_from_slice(&port.to_be_bytes());
        }
        packet.extend_from_slice(&sequence.to_be_bytes());
        packet.extend_from_slice(&acknowledged.to_be_bytes());
        packet.extend_from_slice(&[0x50, FLAGS_DATA, 0xff, 0xff, 0, 0, 0, 0]);
        packet.extend_from_slice(segment);
        packet
    }
}
