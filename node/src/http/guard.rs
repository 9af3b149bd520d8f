//! Who is answered: requests that name this host, and for writes those that show the token.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{Request, State as Shared},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{failure::Failure, state::State};

/// The values of the `Host` header that mean this host. A web page can point a name of its own at
/// 127.0.0.1 (DNS rebinding), but cannot make a browser send another name than that.
#[derive(Clone, Debug)]
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    /// For an interface at `address` that the operator says is also called `named`.
    pub(super) fn new(address: SocketAddr, named: &[String]) -> Self {
        let port = address.port();
        let mut hosts = Vec::new();
        if !address.ip().is_unspecified() {
            hosts.push(address.to_string());
        }
        if address.ip().is_loopback() || address.ip().is_unspecified() {
            hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{host}:{port}")));
        }
        // A proxy in front has a port of its own, which is left out of the header if it is the usual one.
        hosts.extend(
            named
                .iter()
                .flat_map(|host| [host.to_lowercase(), format!("{host}:{port}").to_lowercase()]),
        );
        Self(hosts)
    }

    fn admit(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (values.next(), values.next()) else { return false };
        host.to_str().is_ok_and(|host| self.0.contains(&host.to_lowercase()))
    }
}

/// Before anything else of a request is looked at.
pub(super) async fn check_host(
    Shared(state): Shared<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    if !state.hosts.admit(request.headers()) {
        return Failure::foreign_host().into_response();
    }
    next.run(request).await
}

/// Whether the request may change anything.
pub(super) fn check_token(state: &State, headers: &HeaderMap) -> Result<(), Failure> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(Failure::token_missing());
    };
    // RFC 9110, 11.1: the scheme's name is in any case.
    let shown = value.to_str().ok().and_then(|value| value.split_once(' '));
    match shown {
        Some((scheme, token))
            if scheme.eq_ignore_ascii_case("bearer") && state.token.is(token.trim()) =>
        {
            Ok(())
        }
        Some(_) | None => Err(Failure::token_wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(hosts: &Hosts, values: &[&str]) -> bool {
        let headers = values.iter().map(|value| (header::HOST, value.parse().unwrap())).collect();
        hosts.admit(&headers)
    }

    #[test]
    fn only_names_of_this_host_are_admitted() {
        let local = Hosts::new(
            ([127, 0, 0, 1], 8651).into(),
            &["node.example".into(), "Proxy.example:80".into()],
        );
        let good = [
            "localhost:8651",
            "127.0.0.1:8651",
            "[::1]:8651",
            "LOCALHOST:8651",
            "node.example:8651",
            "node.example",
            "proxy.example:80",
        ];
        for host in good {
            assert!(admits(&local, &[host]), "{host}");
        }
        let bad = [
            "",
            "localhost",
            "127.0.0.1",
            "localhost:8652",
            "evil.example:8651",
            "localhost:8651.evil.example",
            "node.example:1",
            "192.0.2.1:8651",
            "\u{ff}",
        ];
        for host in bad {
            assert!(!admits(&local, &[host]), "{host}");
        }
        assert!(!admits(&local, &[]));
        assert!(!admits(&local, &["localhost:8651", "localhost:8651"]));
    }

    #[test]
    fn an_address_is_a_name_of_this_host_unless_it_is_all_addresses() {
        let public = Hosts::new(([192, 0, 2, 1], 8651).into(), &[]);
        assert!(admits(&public, &["192.0.2.1:8651"]) && !admits(&public, &["localhost:8651"]));
        let all = Hosts::new(([0, 0, 0, 0], 8651).into(), &[]);
        assert!(admits(&all, &["localhost:8651"]) && !admits(&all, &["0.0.0.0:8651"]));
    }
}
