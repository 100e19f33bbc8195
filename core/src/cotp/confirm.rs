//! The CC: what we answer, and what a peer's answer says (RFC 905 clause 13.4).

use bytes::{Bytes, BytesMut};

use super::config::{MAX_CONNECT_DATA, check_connect_data};
use super::report::Report;
use super::request::{ConnectRequest, SeenCodes, one, put_preferred, units, wrong_octet};
use super::tpdu::{Connect, Parameter, Tpdu, code, put_parameter};
use super::{Config, ConfigError, Diagnostic, Selector, TpduSize, Violation};

/// What an established connection has agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// Our selector: calling where we connected, called where we accepted.
    pub local_selector: Option<Selector>,
    /// The peer's selector. Connecting, it is the one that we asked for, if we asked for one.
    pub remote_selector: Option<Selector>,
    /// The largest TPDU that we send. Peers may send larger ones under
    /// [`Policy::Interop`](super::Policy::Interop).
    pub tpdu_size: TpduSize,
    /// Our reference.
    pub local_reference: u16,
    /// The peer's reference.
    pub remote_reference: u16,
    /// Expedited data may be sent, and may come.
    pub expedited: bool,
    /// The class that the peer's CR preferred or its CC selected: the connection is of class 0 in
    /// any case.
    pub class: u8,
    /// The option bits beside it.
    pub class_options: u8,
    /// User data of the peer's CR or CC.
    pub connect_data: Bytes,
    /// The variable part of the peer's CR or CC as it came.
    pub variable: Bytes,
}

/// How to confirm a request. The defaults are those of the automatic answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The largest TPDU size to confirm, if it is to be smaller than [`Config::accepted_size`]. In
    /// raw mode none is confirmed.
    pub max_size: Option<TpduSize>,
    /// User data of the CC, at most 32 octets. Default: none; several deployed peers stop at any.
    pub connect_data: Bytes,
    /// In raw mode: the variable part of the CC. `None`: that of the [`Config`].
    pub variable_part: Option<Bytes>,
}

/// The CC that answers a request, and what is agreed by it.
pub(super) fn write(
    request: &ConnectRequest,
    config: &Config,
    response: &Response,
) -> Result<(Tpdu, Info), ConfigError> {
    check_connect_data(&response.connect_data)?;
    let (size, preferred) = agree(request, config, response);
    let raw = config.raw_variable_part.as_ref();
    let expedited = raw.is_none() && request.expedited && config.expedited;
    let cc = |variable| {
        let data = response.connect_data.clone();
        Tpdu::ConnectConfirm(Connect {
            destination_reference: request.reference,
            source_reference: config.source_reference,
            variable,
            data,
            ..Connect::default()
        })
    };
    let tpdu = match raw {
        Some(raw) => cc(response.variable_part.as_ref().unwrap_or(raw).clone()),
        None => {
            let echo = cc(variable(request, size, preferred, expedited, true));
            // selectors may be returned but need not be (clause 13.3.4 a)
            if echo.encode().is_ok() {
                echo
            } else {
                cc(variable(request, size, preferred, expedited, false))
            }
        }
    };
    tpdu.encode()?;
    let info = Info {
        local_selector: request.called.clone(),
        remote_selector: request.calling.clone(),
        tpdu_size: size,
        local_reference: config.source_reference,
        remote_reference: request.reference,
        expedited,
        class: request.class,
        class_options: request.class_options,
        connect_data: request.data.clone(),
        variable: request.variable.clone(),
    };
    Ok((tpdu, info))
}

/// The size to confirm, and whether as the preferred maximum size.
fn agree(request: &ConnectRequest, config: &Config, response: &Response) -> (TpduSize, bool) {
    if config.raw_variable_part.is_some() {
        // nothing is confirmed, so the peer knows of no limit either
        return (TpduSize::MAX, false);
    }
    let most = response.max_size.unwrap_or(TpduSize::MAX).min(config.accepted_size);
    match request.preferred_size.filter(|_| config.preferred_size) {
        Some(preferred) => (preferred.min(most).rounded_to_units(), true),
        // without an offer the standards differ, 128 or 65531 octets: what all have is a middle
        None => (request.size.unwrap_or(TpduSize::CLASS_0).min(most).rounded_to_code(), false),
    }
}

/// The parameters of a CC, in the order in which the request has them: deployed peers compare
/// octets.
fn variable(
    request: &ConnectRequest,
    size: TpduSize,
    preferred: bool,
    expedited: bool,
    echo: bool,
) -> Bytes {
    let mut variable = BytesMut::new();
    let size_code = if preferred { code::PREFERRED_SIZE } else { code::TPDU_SIZE };
    let parameters = Connect { variable: request.variable.clone(), ..Connect::default() };
    let asked = parameters.parameters().flatten().map(|parameter| parameter.code);
    let mut seen = SeenCodes::default();
    // the size is always confirmed (RFC 2126 clause 6.4)
    for code in asked.chain([size_code]).filter(|&code| seen.first(code)) {
        let selector = match code {
            code::CALLING => &request.calling,
            code::CALLED => &request.called,
            code if code == size_code && preferred => {
                put_preferred(&mut variable, size);
                continue;
            }
            code if code == size_code => {
                put_parameter(&mut variable, code, &[size.code()]);
                continue;
            }
            _ => continue,
        };
        if let Some(selector) = selector.as_ref().filter(|_| echo) {
            put_parameter(&mut variable, code, selector.octets());
        }
    }
    if expedited {
        put_parameter(&mut variable, code::OPTIONS, &[1]);
    }
    variable.freeze()
}

/// What a CC says, held against what was asked for.
pub(super) fn read(cc: &Connect, config: &Config, report: &mut Report) -> Result<Info, Violation> {
    let raw = config.raw_variable_part.is_some();
    if cc.class != 0 {
        return Err(Violation::Class(cc.class));
    }
    if cc.credit != 0 {
        report.tolerate(Diagnostic::Credit(cc.credit))?;
    }
    let (got, expected) = (cc.destination_reference, config.source_reference);
    if got != expected {
        report.tolerate(Diagnostic::DestinationReference { got, expected })?;
    }
    if cc.source_reference == 0 && !raw {
        report.tolerate(Diagnostic::ZeroReference)?;
    }
    if cc.options != 0 {
        report.tolerate(Diagnostic::OptionBits(cc.options))?;
    }
    let mut said = Said::default();
    if !raw {
        let mut seen = SeenCodes::default();
        for parameter in cc.parameters() {
            let parameter = parameter?;
            seen.note(parameter.code, report);
            said.take(&parameter, config, report)?;
        }
        same_selector(&said.calling, &config.local_selector, config, report)?;
        same_selector(&said.called, &config.remote_selector, config, report)?;
    }
    let mut info = Info {
        tpdu_size: if raw { TpduSize::MAX } else { said.size(config, report) },
        local_selector: config.local_selector.clone().or(said.calling),
        remote_selector: config.remote_selector.clone().or(said.called),
        local_reference: config.source_reference,
        remote_reference: cc.source_reference,
        expedited: said.expedited,
        class: cc.class,
        class_options: cc.options,
        connect_data: Bytes::new(),
        variable: cc.variable.clone(),
    };
    if cc.data.len() > MAX_CONNECT_DATA {
        report.tolerate(Diagnostic::ConnectDataIgnored { octets: cc.data.len() })?;
    } else {
        info.connect_data = cc.data.clone();
    }
    Ok(info)
}

/// The parameters of a CC.
#[derive(Default)]
struct Said {
    calling: Option<Selector>,
    called: Option<Selector>,
    size: Option<TpduSize>,
    preferred: Option<TpduSize>,
    expedited: bool,
}

impl Said {
    fn take(
        &mut self,
        parameter: &Parameter,
        config: &Config,
        report: &mut Report,
    ) -> Result<(), Violation> {
        let Parameter { code, value, .. } = parameter;
        let code = *code;
        let invalid = Violation::ParameterValue { code, at: wrong_octet(parameter) };
        match code {
            code::CALLING => self.calling = Some(Selector::new(value.clone())),
            code::CALLED => self.called = Some(Selector::new(value.clone())),
            code::TPDU_SIZE => {
                let size_code = one(value).filter(|&code| code >= TpduSize::MIN.code());
                let size_code = size_code.ok_or(invalid)?;
                let offered = offered(config).unwrap_or(TpduSize::MAX);
                let size = TpduSize::from_code(size_code).filter(|&size| size <= offered);
                if size.is_none() {
                    report.tolerate(Diagnostic::SizeNotOffered { code: size_code, offered })?;
                }
                self.size = size.or(Some(offered));
            }
            code::PREFERRED_SIZE if config.preferred_size && config.offered_size.is_some() => {
                let units = units(value).filter(|&units| units > 0).ok_or(invalid)?;
                let offered = config.offered_size.unwrap_or_default().rounded_to_units();
                if units > u32::from(offered.units()) {
                    report.tolerate(Diagnostic::SizeNotOffered { code, offered })?;
                }
                self.preferred = TpduSize::from_units(units).map(|size| size.min(offered));
            }
            code::OPTIONS if config.expedited => {
                self.expedited = one(value).ok_or(invalid)? & 1 != 0;
            }
            _ => report.tolerate(Diagnostic::ParameterIgnored { code })?,
        }
        Ok(())
    }

    /// The size that counts: the least of what was confirmed.
    fn size(&self, config: &Config, report: &mut Report) -> TpduSize {
        let confirmed = self.size.into_iter().chain(self.preferred).min();
        confirmed.unwrap_or_else(|| {
            let assumed = offered(config).unwrap_or(TpduSize::MIN);
            report.note(Diagnostic::SizeNotConfirmed { assumed });
            assumed
        })
    }
}

/// The size that our C0 offered.
fn offered(config: &Config) -> Option<TpduSize> {
    config.offered_size.map(TpduSize::rounded_to_code)
}

fn same_selector(
    got: &Option<Selector>,
    expected: &Option<Selector>,
    config: &Config,
    report: &mut Report,
) -> Result<(), Violation> {
    let (Some(got), Some(expected)) = (got, expected) else { return Ok(()) };
    if got == expected {
        return Ok(());
    }
    let diagnostic = Diagnostic::SelectorDiffers { got: got.clone(), expected: expected.clone() };
    if config.selectors_must_match {
        return Err(Violation::Strict(diagnostic));
    }
    report.note(diagnostic);
    Ok(())
}
