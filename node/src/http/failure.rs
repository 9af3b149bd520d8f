//! What a request is refused with: a status, and `{"error": {"code", "message", ...}}` as JSON.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use forsooth_protocol::{Network, Refusal};
use serde::{Deserialize, Serialize};

/// A refusal.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    status: StatusCode,
    error: Box<ErrorView>,
    header: Option<(header::HeaderName, HeaderValue)>,
}

/// The body of a refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureView {
    /// What went wrong.
    pub error: ErrorView,
}

/// What went wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorView {
    /// Short and stable: `unknown_topic`.
    pub code: String,
    /// For people.
    pub message: String,
    /// With `unknown_topic`: the topics that there are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    /// With `over_rate` and `listening`: when to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let error = ErrorView {
            code: code.to_owned(),
            message: message.into(),
            topics: Vec::new(),
            retry_after_ms: None,
        };
        Self { status, error: Box::new(error), header: None }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(super) fn foreign_host() -> Self {
        let message =
            "the Host header does not name this node; use localhost, or configure http_hosts";
        Self::new(StatusCode::FORBIDDEN, "foreign_host", message)
    }

    pub(super) fn token_missing() -> Self {
        let message = "this needs the header `Authorization: Bearer TOKEN`, \
                       with the token from http.token in the data folder";
        Self::unauthorized("token_missing", message)
    }

    pub(super) fn token_wrong() -> Self {
        let message =
            "the Authorization header does not have the token from http.token in the data folder";
        Self::unauthorized("token_wrong", message)
    }

    /// RFC 9110, 15.5.2: with 401 comes the scheme that would do.
    fn unauthorized(code: &str, message: &str) -> Self {
        let scheme = (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        Self { header: Some(scheme), ..Self::new(StatusCode::UNAUTHORIZED, code, message) }
    }

    pub(super) fn unknown_topic(name: &str, network: &Network) -> Self {
        let topics: Vec<String> = network.topics().map(|(_, topic)| topic.name.clone()).collect();
        let known: Vec<&str> = topics.iter().map(String::as_str).collect();
        let complaint =
            format!("the network {} has no topic `{}`", network.name(), name.escape_debug());
        let message = crate::diagnosis::suggest(&complaint, name, &known);
        let mut failure = Self::new(StatusCode::NOT_FOUND, "unknown_topic", message);
        failure.error.topics = topics;
        failure
    }

    pub(super) fn oversize(bytes_max: u32) -> Self {
        let message =
            format!("the payload is larger than the {bytes_max} bytes that the topic allows");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "oversize", message)
    }

    pub(super) fn over_rate(retry_after: Duration) -> Self {
        let message = format!("over the topic's rate for one author; try again in {retry_after:?}");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "over_rate", message).retry_after(retry_after)
    }

    fn retry_after(mut self, retry_after: Duration) -> Self {
        // Whole seconds, rounded up: a client that waits as long is not early.
        let seconds = retry_after.as_millis().div_ceil(1000).max(1);
        let value =
            HeaderValue::from_str(&seconds.to_string()).unwrap_or(HeaderValue::from_static("60"));
        self.error.retry_after_ms =
            Some(u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX));
        Self { header: Some((header::RETRY_AFTER, value)), ..self }
    }

    pub(super) fn closed() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", "the node is shutting down")
    }

    pub(super) fn stuck() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "stuck",
            "the node does not answer; its log may say why",
        )
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::Oversize { max, .. } => Self::oversize(max),
            Refusal::OverRate { retry_after } => Self::over_rate(retry_after),
            Refusal::Lifetime { .. } => Self::new(StatusCode::BAD_REQUEST, "bad_lifetime", message),
            Refusal::Exposed => Self::new(StatusCode::CONFLICT, "exposed", message),
            Refusal::Twin => Self::new(StatusCode::CONFLICT, "twin", message),
            Refusal::Listening { retry_after } => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Self::new(status, "listening", message).retry_after(retry_after)
            }
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self { status, error, header } = self;
        let mut response = (status, Json(FailureView { error: *error })).into_response();
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

pub(super) async fn no_such_page(uri: Uri) -> Failure {
    let message =
        format!("there is nothing at {}; docs/operating.md lists what there is", uri.path());
    Failure::new(StatusCode::NOT_FOUND, "not_found", message)
}

pub(super) async fn no_such_method(method: Method, uri: Uri) -> Failure {
    let message = format!("{} does not take {method}", uri.path());
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_of_the_core_has_its_status() {
        let second = Duration::from_secs(1);
        let cases = [
            (Refusal::Oversize { bytes: 2, max: 1 }, 413, "oversize", None),
            (Refusal::Lifetime { lifetime: 2 * second, max: second }, 400, "bad_lifetime", None),
            (
                Refusal::OverRate { retry_after: Duration::from_millis(1) },
                429,
                "over_rate",
                Some("1"),
            ),
            (
                Refusal::OverRate { retry_after: Duration::from_millis(2001) },
                429,
                "over_rate",
                Some("3"),
            ),
            (Refusal::Exposed, 409, "exposed", None),
            (Refusal::Twin, 409, "twin", None),
        ];
        for (refusal, status, code, retry_after) in cases {
            let failure = Failure::from(refusal);
            assert_eq!((failure.status.as_u16(), failure.error.code.as_str()), (status, code));
            let response = failure.into_response();
            let header = response.headers().get(header::RETRY_AFTER);
            assert_eq!(header.map(|value| value.to_str().unwrap()), retry_after);
        }
    }
}
