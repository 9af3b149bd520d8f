//! Links between real nodes on loopback: what honest peers get, and what others do not get away
//! with.
//!
//! Every node runs in a task of its own. Tests wait for events, with one generous limit for each,
//! and never for time.

#[cfg(test)]
mod faults;
#[cfg(test)]
mod honest;
#[cfg(test)]
mod node;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod strangers;
