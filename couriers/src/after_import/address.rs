//! Posting the message to an address.
//!
//! Invariant: only an answer from 200 to 299 counts as told; a redirection does not, as it would turn the message
//! into a question.

use std::time::Duration;

use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use super::Failure;

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 2_000;

/// Posts the message. Certificates are checked against those that the system trusts; no proxy is asked.
pub(super) fn post(address: &str, message: &[u8], limit: Duration) -> Result<String, Failure> {
    let failed = |reason: String| Failure { reason, output: String::new() };
    let config = Agent::config_builder()
        .timeout_global(Some(limit))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .proxy(None)
        .user_agent(concat!("saddlebag/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .build();
    let request = Agent::new_with_config(config).post(address).content_type("application/json");
    let mut response = request.send(message).map_err(|error| failed(error.to_string()))?;
    let status = response.status();
    if status.is_success() {
        return Ok(String::new());
    }
    let answer = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).lossy_utf8(true).read_to_string();
    let output = super::in_short(answer.unwrap_or_default().as_bytes());
    Err(Failure { reason: format!("it answered {status}"), output })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::*;

    /// Reads one request and gives its head and body.
    fn request(stream: &mut TcpStream) -> (String, String) {
        let mut bytes = Vec::new();
        loop {
            let mut buffer = [0; 1024];
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the request ended early: {}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&buffer[..count]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let head = head.to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return (head, body.to_owned());
            }
        }
    }

    /// Posts to a server that gives this answer; what it was sent, and what came of it.
    fn post_to(answer: &'static str, user: &str) -> ((String, String), Result<String, Failure>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{user}{}/told", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let got = request(&mut stream);
            stream.write_all(answer.as_bytes()).unwrap();
            got
        });
        let posted = post(&address, b"{\"a\":1}", Duration::from_secs(60));
        (server.join().unwrap(), posted)
    }

    #[test]
    fn the_message_is_posted_as_json() {
        let ok = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
        let ((head, body), posted) = post_to(ok, "me:secret@");
        assert!(head.starts_with("post /told http/1.1") && head.contains("content-type: application/json"), "{head}");
        assert!(head.contains("authorization: basic") && head.contains("user-agent: saddlebag/"), "{head}");
        assert_eq!(body, "{\"a\":1}");
        assert_eq!(posted.unwrap(), "");
    }

    #[test]
    fn any_other_answer_is_a_failure() {
        let busy = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 8\r\nconnection: close\r\n\r\nstarting";
        let failure = post_to(busy, "").1.unwrap_err();
        assert!(failure.reason.contains("503") && failure.output == "starting", "{failure:?}");
        let moved = "HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        assert!(post_to(moved, "").1.unwrap_err().reason.contains("302"));
    }

    #[test]
    fn who_is_not_there_or_never_answers_is_a_failure() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        // Nobody accepts: the connection stands, and no answer ever comes.
        let failure = post(&address, b"{}", Duration::from_secs(1)).unwrap_err();
        assert!(failure.reason.contains("timeout"), "{failure:?}");
        drop(listener);
        assert!(post(&address, b"{}", Duration::from_secs(60)).is_err());
    }
}
