//! Model checking: small networks with a liar, in every order of events, until nothing new comes.
//!
//! What is modelled, what is assumed and how far it goes is in docs/protocol.md, section 15. The models state the rules of
//! that page anew: they show that the rules are sound, and the other tests that the code follows them. Rules and
//! assumptions are left out in turn, and then a test must find what goes wrong.

mod plumtree;
mod set;
mod settle;
