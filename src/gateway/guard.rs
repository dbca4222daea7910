//! Who is let in: requests that name a loopback host (a web page that has its name resolve to this machine
//! does not), and no changes on behalf of foreign web pages.

use axum::{
    extract::Request,
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::Response,
};

use super::problem::{Code, Problem};

/// Lets a request through or answers it.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    match check(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => super::shaped(request.uri(), problem),
    }
}

fn check(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let forbidden = |detail: &str| Err(Problem::new(Code::Forbidden, detail));
    let text = |name| headers.get(name).map(|value: &axum::http::HeaderValue| value.to_str().unwrap_or(""));
    if !text(header::HOST).is_some_and(is_loopback_authority) {
        return forbidden("the `Host` of a request must be `localhost` or a loopback address");
    }
    if method.is_safe() {
        return Ok(());
    }
    if let Some(origin) = text(header::ORIGIN)
        && !origin.split_once("://").is_some_and(|(_, authority)| is_loopback_authority(authority))
    {
        return forbidden("web pages of other hosts may not change anything here");
    }
    Ok(())
}

/// Whether `HOST[:PORT]` is this machine.
fn is_loopback_authority(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => authority.split(':').next().unwrap_or(""),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_hosts_are_this_machine() {
        for host in ["localhost", "localhost:4580", "127.0.0.1:4580", "127.9.9.9", "[::1]:4580", "LOCALHOST"]
        {
            assert!(is_loopback_authority(host), "{host}");
        }
        for host in
            ["", "example.org", "127.0.0.1.example.org", "localhost.example.org", "[::2]", "10.0.0.1:4580"]
        {
            assert!(!is_loopback_authority(host), "{host}");
        }
    }

    #[test]
    fn a_foreign_page_may_look_but_not_change() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "127.0.0.1:4580".parse().unwrap());
        headers.insert(header::ORIGIN, "https://example.org".parse().unwrap());
        assert!(check(&Method::GET, &headers).is_ok());
        assert_eq!(check(&Method::POST, &headers).unwrap_err().code, Code::Forbidden);
        headers.insert(header::ORIGIN, "http://localhost:3000".parse().unwrap());
        assert!(check(&Method::POST, &headers).is_ok());
        headers.insert(header::HOST, "rebound.example.org".parse().unwrap());
        assert_eq!(check(&Method::GET, &headers).unwrap_err().code, Code::Forbidden);
    }
}
