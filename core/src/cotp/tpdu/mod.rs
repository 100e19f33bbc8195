//! The TPDUs of class 0 on the wire (RFC 905 clause 13), read and written without any judgement of
//! a connection's state.
//!
//! ```text
//!     0    1            2 ... LI                                  LI + 1 ...
//!     LI   code         fixed part │ variable part: parameters    user data
//!
//! CR  6+n  1110 credit  DST-REF = 0, SRC-REF, class and option │ C0 C1 C2 …      connect data
//! CC  6+n  1101 credit  DST-REF, SRC-REF, class and option     │ C0 C1 C2 …      connect data
//! DR  6+n  1000 0000    DST-REF, SRC-REF, reason               │ E0
//! DC  5    1100 0000    DST-REF, SRC-REF
//! ER  4+n  0111 0000    DST-REF, cause                         │ C1: rejected octets
//! DT  2    1111 0000    end of message (bit 8), number (= 0)                     part of a message
//! ED  2    0001 0000    the same                                                 1..16 octets
//! ```
//!
//! The length indicator LI counts the header behind itself: 1 to 254, 255 is reserved (clause
//! 13.2.1). Numbers are big-endian.

mod connect;
mod kind;
mod parameter;
mod release;

use bytes::{Buf, BufMut, Bytes, BytesMut};

pub use connect::Connect;
pub use kind::Kind;
pub use parameter::{Parameter, Parameters, code, put as put_parameter};
pub use release::{Disconnect, Reject};

use super::Violation;
use crate::tpkt;

/// The largest length indicator.
pub(super) const MAX_LI: usize = 254;

/// A TPDU.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tpdu {
    /// CR: connection request.
    ConnectRequest(Connect),
    /// CC: connection confirm.
    ConnectConfirm(Connect),
    /// DR: disconnect request.
    DisconnectRequest(Disconnect),
    /// DC: disconnect confirm, which class 0 does not have.
    DisconnectConfirm {
        /// DST-REF.
        destination_reference: u16,
        /// SRC-REF.
        source_reference: u16,
    },
    /// ER: error.
    Error(Reject),
    /// DT: data.
    Data(Segment),
    /// ED: expedited data, where it was negotiated.
    Expedited(Segment),
    /// One that class 0 does not have; nothing more of it is read.
    Other(Kind),
}

/// The parts of a DT or an ED.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// EOT: the message ends here.
    pub end: bool,
    /// TPDU-NR, 0 to 127: zero in class 0.
    pub number: u8,
    /// The four bits beside the code, where other TPDUs have their credit: zero.
    pub credit: u8,
    /// User data.
    pub data: Bytes,
}

/// A header over 254 octets, or a TPDU over 65531.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header of the TPDU would take {header} octets; the limit is 254")]
pub struct TooLong {
    /// Octets that the header would take, LI not counted.
    pub header: usize,
}

impl Tpdu {
    /// Reads one TPDU without a copy: user data and parameters are slices of it.
    ///
    /// # Errors
    ///
    /// [`Violation`] where the length indicator or the length of the header is wrong.
    pub fn parse(mut tpdu: Bytes) -> Result<Self, Violation> {
        // nearly all that ever come
        if let [2, 0xf0, number, ..] = tpdu[..] {
            tpdu.advance(super::size::DT_HEADER);
            return Ok(Self::Data(Segment::of(0, number, tpdu)));
        }
        let (header, data) = split(&tpdu)?;
        let kind = Kind::of(header[1]);
        Ok(match kind {
            Kind::Dt | Kind::Ed => {
                let &[_, _, number] = &header[..] else {
                    return Err(Violation::HeaderLength { kind, li: header[0] });
                };
                let segment = Segment::of(header[1] & 0x0f, number, data);
                match kind {
                    Kind::Dt => Self::Data(segment),
                    _ => Self::Expedited(segment),
                }
            }
            Kind::Cr => Self::ConnectRequest(Connect::parse(kind, &header, data)?),
            Kind::Cc => Self::ConnectConfirm(Connect::parse(kind, &header, data)?),
            Kind::Dr => Self::DisconnectRequest(Disconnect::parse(&header, data)?),
            Kind::Er => Self::Error(Reject::parse(&header)?),
            Kind::Dc => {
                let fixed = fixed::<4>(kind, &header)?;
                Self::DisconnectConfirm {
                    destination_reference: u16::from_be_bytes([fixed[0], fixed[1]]),
                    source_reference: u16::from_be_bytes([fixed[2], fixed[3]]),
                }
            }
            Kind::Ak | Kind::Ea | Kind::Rj | Kind::Unknown(_) => Self::Other(kind),
        })
    }

    /// The TPDU in octets, as they stand behind the header of a packet.
    ///
    /// # Errors
    ///
    /// [`TooLong`]. [`Other`](Self::Other) has no content here and gives its code alone.
    pub fn encode(&self) -> Result<Bytes, TooLong> {
        let mut packet = self.packet()?;
        Ok(packet.split_off(tpkt::HEADER).freeze())
    }

    /// The TPDU behind the header of its packet.
    pub(super) fn packet(&self) -> Result<BytesMut, TooLong> {
        match self {
            Self::ConnectRequest(connect) => connect.packet(Kind::Cr),
            Self::ConnectConfirm(connect) => connect.packet(Kind::Cc),
            Self::DisconnectRequest(disconnect) => disconnect.packet(),
            Self::Error(reject) => reject.packet(),
            Self::Data(segment) => segment.packet(Kind::Dt),
            Self::Expedited(segment) => segment.packet(Kind::Ed),
            Self::DisconnectConfirm { destination_reference, source_reference } => {
                let ([a, b], [c, d]) =
                    (destination_reference.to_be_bytes(), source_reference.to_be_bytes());
                packet(Kind::Dc.code(), &[a, b, c, d], &[], &[])
            }
            Self::Other(kind) => packet(kind.code(), &[0], &[], &[]),
        }
    }

    /// Which one it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::ConnectRequest(_) => Kind::Cr,
            Self::ConnectConfirm(_) => Kind::Cc,
            Self::DisconnectRequest(_) => Kind::Dr,
            Self::DisconnectConfirm { .. } => Kind::Dc,
            Self::Error(_) => Kind::Er,
            Self::Data(_) => Kind::Dt,
            Self::Expedited(_) => Kind::Ed,
            Self::Other(kind) => *kind,
        }
    }
}

impl Segment {
    fn of(credit: u8, number: u8, data: Bytes) -> Self {
        Self { end: number & 0x80 != 0, number: number & 0x7f, credit, data }
    }

    fn packet(&self, kind: Kind) -> Result<BytesMut, TooLong> {
        let number = u8::from(self.end) << 7 | self.number & 0x7f;
        packet(kind.code() | self.credit & 0x0f, &[number], &[], &self.data)
    }
}

/// The header, LI included, and the user data. The header has at least a code.
fn split(tpdu: &Bytes) -> Result<(Bytes, Bytes), Violation> {
    let Some(&li) = tpdu.first() else {
        return Err(Violation::LengthIndicator { li: 0, have: 0 });
    };
    let end = usize::from(li) + 1;
    if li == 0 || usize::from(li) > MAX_LI || end > tpdu.len() {
        return Err(Violation::LengthIndicator { li, have: tpdu.len() - 1 });
    }
    Ok((tpdu.slice(..end), tpdu.slice(end..)))
}

/// The fixed part behind the code, if the header holds it.
fn fixed<const N: usize>(kind: Kind, header: &[u8]) -> Result<&[u8; N], Violation> {
    header[2..].first_chunk().ok_or(Violation::HeaderLength { kind, li: header[0] })
}

/// A packet with a TPDU of these parts.
fn packet(code: u8, fixed: &[u8], variable: &[u8], data: &[u8]) -> Result<BytesMut, TooLong> {
    let header = 1 + fixed.len() + variable.len();
    let size = 1 + header + data.len();
    let li = u8::try_from(header).ok().filter(|&li| usize::from(li) <= MAX_LI);
    let li = li.filter(|_| size <= tpkt::MAX_TPDU).ok_or(TooLong { header })?;
    let mut packet = BytesMut::with_capacity(tpkt::HEADER + size);
    packet.put_slice(&tpkt::header(size));
    packet.put_slice(&[li, code]);
    packet.put_slice(fixed);
    packet.put_slice(variable);
    packet.put_slice(data);
    Ok(packet)
}
