//! What a certificate says of itself, where the usual checks do not look.

use std::time::Duration;

use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::asn1::{Ia5StringRef, PrintableStringRef, TeletexStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Whether it is in force.
pub(super) fn is_valid_at(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), rustls::Error> {
    let parsed = Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let validity = parsed.tbs_certificate.validity;
    let now = Duration::from_secs(now.as_secs());
    if now < validity.not_before.to_unix_duration() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.to_unix_duration() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// Whether the common name of its subject is that of the host: it counts where the certificate has no alternative names
/// of hosts, as PostgreSQL's manual makes them (19.9.5).
pub(super) fn subject_names(certificate: &CertificateDer<'_>, host: &ServerName<'_>) -> bool {
    let Ok(parsed) = Certificate::from_der(certificate) else { return false };
    let hosts = match parsed.tbs_certificate.get::<SubjectAltName>() {
        Ok(Some((_, names))) => names.0.iter().any(is_of_a_host),
        Ok(None) => false,
        Err(_) => return false,
    };
    let names = parsed.tbs_certificate.subject.0.iter().flat_map(|part| part.0.iter());
    let common: Vec<_> = names.filter(|name| name.oid == COMMON_NAME).filter_map(|name| text(&name.value)).collect();
    let wanted = host.to_str();
    !hosts && matches!(common.as_slice(), [name] if matches_host(name, &wanted))
}

fn is_of_a_host(name: &GeneralName) -> bool {
    matches!(name, GeneralName::DnsName(_) | GeneralName::IpAddress(_))
}

fn text(value: &x509_cert::der::Any) -> Option<String> {
    let utf8 = value.decode_as::<Utf8StringRef<'_>>().map(|text| text.as_str().to_owned());
    let printable = || value.decode_as::<PrintableStringRef<'_>>().map(|text| text.as_str().to_owned());
    let teletex = || value.decode_as::<TeletexStringRef<'_>>().map(|text| text.as_str().to_owned());
    let ia5 = || value.decode_as::<Ia5StringRef<'_>>().map(|text| text.as_str().to_owned());
    utf8.or_else(|_| printable()).or_else(|_| teletex()).or_else(|_| ia5()).ok()
}

/// A star stands for the first part of a host's name and no more.
fn matches_host(name: &str, host: &str) -> bool {
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    match name.strip_prefix("*.") {
        Some(domain) => {
            let rest = host.split_once('.').map(|(first, rest)| (!first.is_empty(), rest));
            !is_address && rest.is_some_and(|(named, rest)| named && rest.eq_ignore_ascii_case(domain))
        }
        None => name.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_part_of_a_name() {
        assert!(matches_host("db.example.org", "DB.example.org"));
        assert!(matches_host("*.example.org", "db.example.org"));
        assert!(matches_host("192.0.2.1", "192.0.2.1"));
        for (name, host) in [
            ("*.example.org", "example.org"),
            ("*.example.org", "a.db.example.org"),
            ("*.0.2.1", "192.0.2.1"),
            ("*.example.org", ".example.org"),
            ("d*.example.org", "db.example.org"),
            ("db", "db.example.org"),
        ] {
            assert!(!matches_host(name, host), "{name} {host}");
        }
    }
}
