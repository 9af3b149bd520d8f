//! Real nodes as an application has them, in this process.

#![allow(clippy::unwrap_used, reason = "what fails in a test should panic, in its helpers too")]

mod history;
mod lifecycle;
mod members;
mod messages;
mod seam;
mod support;
