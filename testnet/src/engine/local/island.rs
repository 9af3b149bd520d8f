//! A node on a thread of its own, so that it can be stopped as a process can: paused in the middle of
//! whatever it does, or ended without a chance to clean up.

use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use anyhow::Context as _;
use forsooth::{Builder, Node, StartError};
use tokio::{runtime, sync::oneshot};

/// A running node and the thread that it runs on.
pub(super) struct Island {
    orders: tokio::sync::mpsc::UnboundedSender<Order>,
    /// Ends a pause when it is dropped.
    pause: Option<Sender<()>>,
}

/// What is asked of the thread.
enum Order {
    /// Do nothing at all until the other end is gone.
    Freeze(Receiver<()>),
    /// End at once.
    Die(oneshot::Sender<()>),
}

impl Island {
    /// Starts a node on a new thread.
    pub(super) async fn start(builder: Builder) -> anyhow::Result<(Self, Node)> {
        let (orders, mut inbox) = tokio::sync::mpsc::unbounded_channel();
        let (tell, told) = oneshot::channel::<Result<Node, StartError>>();
        let runtime =
            runtime::Builder::new_current_thread().enable_all().build().context("a runtime")?;
        let live = move || {
            let done = runtime.block_on(async {
                // Who asked has gone if this cannot be told; the node ends with its last handle.
                drop(tell.send(builder.start().await));
                loop {
                    match inbox.recv().await {
                        // Blocks the thread, and with it all tasks of the node: that is the point.
                        Some(Order::Freeze(until)) => drop(until.recv()),
                        Some(Order::Die(done)) => return Some(done),
                        None => return None,
                    }
                }
            });
            // All tasks are dropped where they are.
            runtime.shutdown_background();
            if let Some(done) = done {
                // Whoever asked may have stopped waiting.
                let _: Result<(), ()> = done.send(());
            }
        };
        thread::Builder::new().name("island".to_owned()).spawn(live).context("a thread")?;
        let node = told.await.context("the thread of a node has ended")??;
        Ok((Self { orders, pause: None }, node))
    }

    /// Stops the node where it is. What is sent to it waits, as far as there is room.
    pub(super) fn pause(&mut self) {
        let (pause, until) = channel();
        self.pause = Some(pause);
        // A thread that is gone needs no pause.
        drop(self.orders.send(Order::Freeze(until)));
    }

    /// Lets it go on.
    pub(super) fn resume(&mut self) {
        self.pause = None;
    }

    /// Ends the node at once, as `kill -9` would.
    pub(super) async fn kill(mut self) {
        self.resume();
        let (done, ended) = oneshot::channel();
        if self.orders.send(Order::Die(done)).is_ok() {
            drop(ended.await);
        }
    }
}
