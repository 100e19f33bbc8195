//! The CR: what we ask for, and what a peer's says (RFC 905 clause 13.3).

use bytes::{Bytes, BytesMut};

use super::config::MAX_CONNECT_DATA;
use super::report::Report;
use super::tpdu::{Connect, Parameter, code, put_parameter};
use super::{Cause, Config, Diagnostic, Reason, Selector, TpduSize, Violation, class};

/// The most octets of a CR (RFC 905 clause 13.3).
pub(super) const MAX_REQUEST: usize = 128;

/// Octets of a CR in front of its variable part, LI included.
const FIXED: usize = 7;

/// A peer's request for a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectRequest {
    /// The peer's selector (C1).
    pub calling: Option<Selector>,
    /// Our selector (C2).
    pub called: Option<Selector>,
    /// The TPDU size that it offers (C0).
    pub size: Option<TpduSize>,
    /// The preferred maximum TPDU size that it offers (F0).
    pub preferred_size: Option<TpduSize>,
    /// It offers expedited data.
    pub expedited: bool,
    /// The class that it prefers, 0 to 4. The connection will be of class 0.
    pub class: u8,
    /// The option bits beside the class.
    pub class_options: u8,
    /// The peer's reference (SRC-REF).
    pub reference: u16,
    /// User data, at most 32 octets.
    pub data: Bytes,
    /// The variable part as it came: all there is in raw mode.
    pub variable: Bytes,
    /// Alternative classes, as a set of bits.
    alternatives: u8,
}

/// A CR that is wrong, and what its sender is told.
pub(super) struct Fault {
    pub(super) violation: Violation,
    pub(super) reply: Reply,
}

pub(super) enum Reply {
    Nothing,
    /// An ER, with the CR up to and with the octet `at`.
    Reject {
        cause: Cause,
        at: usize,
    },
    /// A DR.
    Refuse(Reason),
}

/// Most faults are values.
fn at(at: usize) -> impl Fn(Violation) -> Fault {
    move |violation| Fault { violation, reply: Reply::Reject { cause: Cause::ParameterValue, at } }
}

fn quietly(violation: Violation) -> Fault {
    Fault { violation, reply: Reply::Nothing }
}

/// The CR that a configuration asks for.
pub(super) fn write(config: &Config) -> Connect {
    let mut variable = BytesMut::new();
    if let Some(raw) = &config.raw_variable_part {
        variable.extend_from_slice(raw);
    } else {
        // the order in which a LOGO insists
        let selectors =
            [(code::CALLING, &config.local_selector), (code::CALLED, &config.remote_selector)];
        for (code, selector) in selectors {
            if let Some(selector) = selector {
                put_parameter(&mut variable, code, selector.octets());
            }
        }
        if let Some(size) = config.offered_size {
            put_parameter(&mut variable, code::TPDU_SIZE, &[size.code()]);
            if config.preferred_size {
                put_preferred(&mut variable, size);
            }
        }
        if config.expedited {
            put_parameter(&mut variable, code::OPTIONS, &[1]);
        }
    }
    Connect {
        source_reference: config.source_reference,
        variable: variable.freeze(),
        data: config.connect_data.clone(),
        ..Connect::default()
    }
}

/// Appends a preferred maximum TPDU size, in as few octets as it takes.
pub(super) fn put_preferred(variable: &mut BytesMut, size: TpduSize) {
    let units = size.units().to_be_bytes();
    put_parameter(variable, code::PREFERRED_SIZE, &units[usize::from(units[0] == 0)..]);
}

/// What a CR says, as far as it can be let pass.
pub(super) fn read(
    cr: &Connect,
    config: &Config,
    report: &mut Report,
) -> Result<ConnectRequest, Fault> {
    let raw = config.raw_variable_part.is_some();
    read_fixed(cr, raw, report)?;
    let mut request = ConnectRequest {
        class: cr.class,
        class_options: cr.options,
        reference: cr.source_reference,
        variable: cr.variable.clone(),
        ..ConnectRequest::default()
    };
    if !raw {
        let mut seen = SeenCodes::default();
        for parameter in cr.parameters() {
            let parameter = parameter.map_err(|violation| match violation {
                Violation::ParameterOverrun { at: octet, .. } => at(octet)(violation),
                violation => quietly(violation),
            })?;
            seen.note(parameter.code, report);
            request.take(&parameter, config, report)?;
        }
    }
    if cr.data.len() > MAX_CONNECT_DATA {
        report
            .tolerate(Diagnostic::ConnectDataIgnored { octets: cr.data.len() })
            .map_err(|violation| Fault { violation, reply: Reply::Refuse(Reason::NotSpecified) })?;
    } else {
        request.data = cr.data.clone();
    }
    Ok(request)
}

fn read_fixed(cr: &Connect, raw: bool, report: &mut Report) -> Result<(), Fault> {
    if !class::exists(cr.class) {
        return Err(at(6)(Violation::Class(cr.class)));
    }
    // credit and options mean something in the other classes
    if cr.credit != 0 && cr.class < 2 {
        report.tolerate(Diagnostic::Credit(cr.credit)).map_err(at(1))?;
    }
    if cr.destination_reference != 0 {
        let got = cr.destination_reference;
        let diagnostic = Diagnostic::DestinationReference { got, expected: 0 };
        report.tolerate(diagnostic).map_err(at(3))?;
    }
    if cr.source_reference == 0 && !raw {
        // an ER or DR would have nowhere to go
        report.tolerate(Diagnostic::ZeroReference).map_err(quietly)?;
    }
    let meaningless = if cr.class == 0 { cr.options } else { cr.options & 0b1100 };
    if meaningless != 0 {
        report.tolerate(Diagnostic::OptionBits(cr.options)).map_err(at(6))?;
    }
    let octets = FIXED + cr.variable.len() + cr.data.len();
    if octets > MAX_REQUEST && cr.data.len() <= MAX_CONNECT_DATA && !raw {
        let reply = Reply::Reject { cause: Cause::NotSpecified, at: MAX_REQUEST };
        report
            .tolerate(Diagnostic::LongRequest { octets })
            .map_err(|violation| Fault { violation, reply })?;
    }
    Ok(())
}

impl ConnectRequest {
    /// Whether it may be answered with class 0.
    pub(super) fn allows_class_0(&self) -> bool {
        class::allows_0(self.class, self.alternatives)
    }

    fn take(
        &mut self,
        parameter: &Parameter,
        config: &Config,
        report: &mut Report,
    ) -> Result<(), Fault> {
        let Parameter { code, value, .. } = parameter;
        let code = *code;
        match code {
            code::CALLING => self.calling = Some(Selector::new(value.clone())),
            code::CALLED => self.called = Some(Selector::new(value.clone())),
            code::TPDU_SIZE => {
                self.size = one(value).and_then(TpduSize::from_code);
                let diagnostic = match self.size {
                    None => Diagnostic::ParameterInvalid { code },
                    Some(size) if size > TpduSize::CLASS_0 => Diagnostic::NonStandardSize(size),
                    Some(_) => return Ok(()),
                };
                report.tolerate(diagnostic).map_err(at(wrong_octet(parameter)))?;
            }
            code::PREFERRED_SIZE => {
                self.preferred_size = units(value).and_then(TpduSize::from_units);
                if self.preferred_size.is_none() {
                    report
                        .tolerate(Diagnostic::ParameterInvalid { code })
                        .map_err(at(wrong_octet(parameter)))?;
                }
            }
            code::OPTIONS | code::ALTERNATIVES if config.s7_routing && value.len() == 2 => {
                report
                    .tolerate(Diagnostic::S7Routing { code })
                    .map_err(at(wrong_octet(parameter)))?;
            }
            code::OPTIONS => match one(value) {
                Some(options) => self.expedited = options & 1 != 0,
                None => return Err(invalid(parameter, wrong_octet(parameter))),
            },
            code::ALTERNATIVES => {
                self.alternatives = class::alternatives(value).map_err(|index| {
                    invalid(parameter, parameter.at + 1 + (1 + index).min(value.len()))
                })?;
                if self.class == 0 {
                    report.note(Diagnostic::ParameterIgnored { code });
                }
            }
            _ => report.note(Diagnostic::ParameterIgnored { code }),
        }
        Ok(())
    }
}

/// A value that must not be ignored (RFC 905 clause 13.2.3).
fn invalid(parameter: &Parameter, octet: usize) -> Fault {
    at(octet)(Violation::ParameterValue { code: parameter.code, at: octet })
}

/// The last octet of a value, or its length where there is none.
pub(super) fn wrong_octet(parameter: &Parameter) -> usize {
    parameter.at + 1 + parameter.value.len()
}

/// The value of a parameter of one octet.
pub(super) fn one(value: &Bytes) -> Option<u8> {
    match value[..] {
        [octet] => Some(octet),
        _ => None,
    }
}

/// The value of a preferred maximum TPDU size.
pub(super) fn units(value: &Bytes) -> Option<u32> {
    let fold = |units, &octet: &u8| units << 8 | u32::from(octet);
    matches!(value.len(), 1..=4).then(|| value.iter().fold(0, fold))
}

/// The codes that stood in a variable part.
#[derive(Default)]
pub(super) struct SeenCodes([u64; 4]);

impl SeenCodes {
    /// Reports a code that stood there before.
    pub(super) fn note(&mut self, code: u8, report: &mut Report) {
        if !self.first(code) {
            report.note(Diagnostic::ParameterRepeated { code });
        }
    }

    /// Whether the code had not stood there.
    pub(super) fn first(&mut self, code: u8) -> bool {
        let (word, bit) = (&mut self.0[usize::from(code >> 6)], 1 << (code & 63));
        let first = *word & bit == 0;
        *word |= bit;
        first
    }
}
