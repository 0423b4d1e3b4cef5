//! TLS by the rules of `sslmode` (PostgreSQL's manual, 34.19), with what `psql` accepts and the usual web does not: a
//! server's own certificate as its authority, and a host's name in a certificate's subject.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::certificate;
use super::environment::{Environment, Settings};

/// `sslmode`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum TlsMode {
    /// Never.
    Disable,
    /// If the server has it; nobody is verified.
    Prefer,
    /// Always; nobody is verified.
    Require,
    /// The server's certificate is signed by an authority that is trusted.
    VerifyAuthority,
    /// And it names the host.
    VerifyFull,
}

/// How TLS is to be spoken, as the settings say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TlsPlan {
    pub(super) mode: TlsMode,
    /// Without the question that servers before PostgreSQL 17 expect.
    pub(super) direct: bool,
    authorities: Option<Authorities>,
    /// Files of the client's own certificate and key.
    own: Option<(PathBuf, PathBuf)>,
}

/// Who may sign a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Authorities {
    File(PathBuf),
    System,
}

impl TlsPlan {
    /// Reads the settings; a reason, where they cannot be followed.
    pub(super) fn new(settings: &Settings, environment: &Environment) -> Result<Self, String> {
        let named = settings.get("sslrootcert");
        let system = named == Some("system");
        let mode = match settings.get("sslmode") {
            None if system => TlsMode::VerifyFull,
            None | Some("prefer") => TlsMode::Prefer,
            Some("disable") => TlsMode::Disable,
            Some("require") => TlsMode::Require,
            Some("verify-ca") => TlsMode::VerifyAuthority,
            Some("verify-full") => TlsMode::VerifyFull,
            Some(_) => return Err("`sslmode` is disable, prefer, require, verify-ca or verify-full".to_owned()),
        };
        if system && mode != TlsMode::VerifyFull {
            return Err("`sslrootcert=system` asks for `sslmode=verify-full`: such authorities sign for anybody".into());
        }
        let direct = match settings.get("sslnegotiation") {
            None | Some("postgres") => false,
            Some("direct") if mode >= TlsMode::Require => true,
            Some("direct") => return Err("`sslnegotiation=direct` asks for `sslmode=require` or more".to_owned()),
            Some(_) => return Err("`sslnegotiation` is postgres or direct".to_owned()),
        };
        let usual = || environment.own_file("root.crt").filter(|path| path.exists());
        let authorities = match named {
            Some("system") => Some(Authorities::System),
            Some(file) => Some(Authorities::File(file.into())),
            None => usual().map(Authorities::File),
        };
        if mode >= TlsMode::VerifyAuthority && authorities.is_none() {
            return Err(
                "`sslmode` asks to verify the server, and there is no certificate of an authority: name it by \
                        `sslrootcert`, or lay it into ~/.postgresql/root.crt"
                    .to_owned(),
            );
        }
        // As `psql`: who has an authority's file wants it used.
        let mode = match authorities {
            Some(_) if mode == TlsMode::Require => TlsMode::VerifyAuthority,
            _ => mode,
        };
        let file = |setting: &str, usual: &str| {
            let usual = || environment.own_file(usual).filter(|path| path.exists());
            settings.get(setting).map(PathBuf::from).or_else(usual)
        };
        let own = file("sslcert", "postgresql.crt").zip(file("sslkey", "postgresql.key"));
        Ok(Self { mode, direct, authorities, own })
    }

    /// What makes the connections.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect, String> {
        let provider = Arc::new(ring::default_provider());
        let trusted = match &self.authorities {
            Some(authorities) if self.mode >= TlsMode::VerifyAuthority => Some(trusted(authorities)?),
            _ => None,
        };
        let verifier = ServerCheck { provider: Arc::clone(&provider), trusted, name: self.mode == TlsMode::VerifyFull };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let unusable = |error: rustls::Error| format!("`{}` cannot be used: {error}", certificate.display());
                let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
                builder.with_client_auth_cert(certificates(certificate)?, key).map_err(unusable)?
            }
        };
        if self.direct {
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(MakeRustlsConnect::new(config))
    }
}

fn unreadable(path: &Path, error: &rustls::pki_types::pem::Error) -> String {
    format!("`{}` cannot be read: {error}", path.display())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |error| unreadable(path, &error);
    let found: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    if found.is_empty() { Err(format!("`{}` holds no certificate", path.display())) } else { Ok(found) }
}

fn trusted(authorities: &Authorities) -> Result<Trusted, String> {
    let certificates = match authorities {
        Authorities::File(path) => certificates(path)?,
        Authorities::System => rustls_native_certs::load_native_certs().certs,
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates.iter().cloned());
    if added == 0 {
        return Err(match authorities {
            Authorities::File(path) => format!("`{}` holds no certificate of an authority", path.display()),
            Authorities::System => "this system has no certificates of authorities".to_owned(),
        });
    }
    Ok(Trusted { roots, certificates })
}

/// Whom to believe.
#[derive(Debug)]
struct Trusted {
    roots: RootCertStore,
    certificates: Vec<CertificateDer<'static>>,
}

/// The check of a server's certificate. Its holder always has to prove that the key is his.
#[derive(Debug)]
struct ServerCheck {
    provider: Arc<CryptoProvider>,
    trusted: Option<Trusted>,
    name: bool,
}

impl ServerCertVerifier for ServerCheck {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(trusted) = &self.trusted else { return Ok(ServerCertVerified::assertion()) };
        let parsed = ParsedCertificate::try_from(shown)?;
        if trusted.certificates.contains(shown) {
            certificate::is_valid_at(shown, now)?;
        } else {
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&parsed, &trusted.roots, between, now, algorithms)?;
        }
        if self.name {
            let by_alternative = verify_server_name(&parsed, host);
            if by_alternative.is_err() && !certificate::subject_names(shown, host) {
                by_alternative?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, shown, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, shown, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What is wrong with a server's certificate, in words that name what to change.
pub(super) fn words(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(wrong) = error else { return error.to_string() };
    let words = match wrong {
        CertificateError::UnknownIssuer => "no authority that is trusted here has signed it",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet, or the clock here is wrong"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is that of another host"
        }
        other => return format!("the server's certificate cannot be used: {other}"),
    };
    format!("the server's certificate is not accepted: {words}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn plan(home: Option<&Path>, text: &str) -> Result<TlsPlan, String> {
        let home = home.map(Path::to_owned);
        let environment = Environment { variables: BTreeMap::new(), home, user: None, socket_folders: Vec::new() };
        TlsPlan::new(&environment.complete(&text.parse().unwrap()), &environment)
    }

    fn mode(text: &str) -> TlsMode {
        plan(None, text).unwrap().mode
    }

    #[test]
    fn the_mode_is_what_psql_makes_of_it() {
        assert_eq!(mode("host=h"), TlsMode::Prefer);
        assert_eq!(mode("sslmode=disable"), TlsMode::Disable);
        assert_eq!(mode("sslmode=require"), TlsMode::Require);
        assert_eq!(mode("sslmode=require sslrootcert=/x"), TlsMode::VerifyAuthority);
        assert_eq!(mode("sslmode=verify-ca sslrootcert=/x"), TlsMode::VerifyAuthority);
        assert_eq!(mode("sslrootcert=system"), TlsMode::VerifyFull);
        for bad in [
            "sslmode=allow",
            "sslmode=verify-full",
            "sslmode=require sslrootcert=system",
            "sslnegotiation=direct",
            "sslnegotiation=maybe",
        ] {
            let reason = plan(None, bad).unwrap_err();
            assert!(reason.contains("`ssl"), "{bad}: {reason}");
        }
    }

    #[test]
    fn files_of_the_home_directory_count() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".postgresql")).unwrap();
        assert_eq!(plan(Some(home.path()), "sslmode=require").unwrap().mode, TlsMode::Require);
        let root = home.path().join(".postgresql/root.crt");
        write(&root, "nothing");
        let plan = plan(Some(home.path()), "sslmode=require").unwrap();
        assert_eq!(plan.mode, TlsMode::VerifyAuthority);
        let reason = plan.connector().err().unwrap();
        assert!(reason.contains("root.crt` holds no certificate"), "{reason}");
    }

    fn write(path: &Path, text: &str) {
        use std::io::Write as _;
        std::fs::File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
    }
}
