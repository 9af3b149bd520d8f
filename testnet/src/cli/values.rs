//! Values that only the command line has.

use forsooth_protocol::Safeguard;

use crate::scenario::unknown;

/// A defence by name.
pub(crate) fn safeguard(name: &str) -> Result<Safeguard, String> {
    let found = Safeguard::ALL.into_iter().find(|safeguard| safeguard.name() == name);
    found.ok_or_else(|| unknown("defence", name, Safeguard::ALL.into_iter().map(Safeguard::name)))
}
