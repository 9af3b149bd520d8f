//! Accepts connections, at most so many at once, and gives each its timeouts.

use std::{io, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::Limits;

/// How long requests under way may take when the interface stops.
const GRACE: Duration = Duration::from_secs(3);
/// Bytes of a request's head; ours have a few hundred.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// How long to wait when the system has no room for another connection.
const RETRY: Duration = Duration::from_millis(200);

/// Serves until `stop`, and returns when the connections are closed.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let connections = std::sync::Arc::new(Semaphore::new(limits.connections));
    let tasks = TaskTracker::new();
    while let Some(Ok(permit)) =
        stop.run_until_cancelled(std::sync::Arc::clone(&connections).acquire_owned()).await
    {
        match stop.run_until_cancelled(listener.accept()).await {
            Some(Ok((stream, _))) => {
                let connection = serve_one(stream, router.clone(), limits, stop.clone());
                tasks.spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Some(Err(error)) => pause(&error, &stop).await,
            None => break,
        }
    }
    drop(listener);
    tasks.close();
    if timeout(GRACE, tasks.wait()).await.is_err() {
        tracing::warn!(open = tasks.len(), "HTTP requests under way are cut off");
    }
}

/// Most failures to accept are the client's, gone again; but when file descriptors have run out, trying
/// at once would only keep a core busy.
async fn pause(error: &io::Error, stop: &CancellationToken) {
    tracing::debug!(%error, "cannot accept an HTTP connection");
    stop.run_until_cancelled(tokio::time::sleep(RETRY)).await;
}

async fn serve_one(stream: TcpStream, router: Router, limits: Limits, stop: CancellationToken) {
    // A subscription's events are small and want to go at once.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY on an HTTP connection");
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}
