use alloc::collections::BTreeMap;

use bytestring::ByteString;

/// What is done when the other side calls: a handler by name, and one for all other names. What a
/// handler is, is up to who calls it.
#[derive(Clone, Debug)]
pub struct Actions<H> {
    named: BTreeMap<ByteString, H>,
    default: Option<H>,
}

/// Who handles a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallHandler<'a, H> {
    /// The handler of this action. It gets the arguments.
    Named(&'a H),
    /// That of all others. It gets the name of the action, and the arguments after it.
    Default(&'a H),
}

impl<H> Actions<H> {
    /// None: every call is refused.
    #[must_use]
    pub fn new() -> Self {
        Self { named: BTreeMap::new(), default: None }
    }

    /// Adds an action, or replaces the one of that name.
    #[must_use]
    pub fn with(mut self, name: impl Into<ByteString>, handler: H) -> Self {
        self.named.insert(name.into(), handler);
        self
    }

    /// Adds what is done for all other names.
    #[must_use]
    pub fn with_default(mut self, handler: H) -> Self {
        self.default = Some(handler);
        self
    }

    /// Who handles `action`; `None` means that the call is to be
    /// [refused](super::Connection::refuse_action).
    #[must_use]
    pub fn find(&self, action: &str) -> Option<CallHandler<'_, H>> {
        let named = self.named.get(action).map(CallHandler::Named);
        named.or(self.default.as_ref().map(CallHandler::Default))
    }
}

impl<H> Default for Actions<H> {
    fn default() -> Self {
        Self::new()
    }
}
