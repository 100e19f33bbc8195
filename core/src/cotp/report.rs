//! Where tolerances are judged: under one policy they are reported, under the other they are
//! errors.

use alloc::collections::VecDeque;

use super::{Diagnostic, Policy, Violation};

/// Diagnostics of one TPDU that are kept. Only the parameters of one CR or CC can be more.
const MOST: usize = 16;

/// Diagnostics that the application has not taken yet. No further TPDU is read before it has.
#[derive(Debug)]
pub(super) struct Report {
    policy: Policy,
    waiting: VecDeque<Diagnostic>,
    /// Recurring ones that were reported already.
    reported: u8,
}

impl Report {
    pub(super) fn new(policy: Policy) -> Self {
        Self { policy, waiting: VecDeque::new(), reported: 0 }
    }

    /// Something that the standard does not have.
    pub(super) fn tolerate(&mut self, diagnostic: Diagnostic) -> Result<(), Violation> {
        match self.policy {
            Policy::Strict => Err(Violation::Strict(diagnostic)),
            Policy::Interop => {
                self.note(diagnostic);
                Ok(())
            }
        }
    }

    /// Something worth knowing under both policies.
    pub(super) fn note(&mut self, diagnostic: Diagnostic) {
        if let Some(bit) = diagnostic.recurring() {
            if self.reported & bit != 0 {
                return;
            }
            self.reported |= bit;
        }
        if self.waiting.len() < MOST {
            self.waiting.push_back(diagnostic);
        }
    }

    pub(super) fn next(&mut self) -> Option<Diagnostic> {
        self.waiting.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.waiting = VecDeque::new();
    }
}
