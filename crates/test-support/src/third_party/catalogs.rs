//! Iceberg REST catalogs.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    running::Running,
    storages::{Storage, TABLE_BUCKET},
};
use crate::{
    lake::{BUCKET, CATALOG_CREDENTIALS, start_catalog},
    reserved_port::ReservedPort,
    tools,
};

/// Running catalog.
pub struct ThirdPartyCatalog {
    /// URL of the Iceberg REST interface.
    pub url: String,
    /// Name of the warehouse. Empty for the default one.
    pub warehouse: &'static str,
    /// Bucket that holds the tables.
    pub bucket: &'static str,
    tokens: Tokens,
    _server: Option<Running>,
}

/// Origin of a catalog's tokens.
enum Tokens {
    /// The catalog requires none.
    None,
    /// The tests sign them with the private key in this file.
    Signed(PathBuf),
    /// The catalog issued this one.
    Issued(String),
}

impl ThirdPartyCatalog {
    /// Returns a valid token, or `None` if the catalog requires none.
    pub fn token(&self) -> Option<String> {
        match &self.tokens {
            Tokens::None => None,
            Tokens::Signed(key) => Some(sign_token(key, TimeDelta::hours(1))),
            Tokens::Issued(token) => Some(token.clone()),
        }
    }

    /// Returns a token that has expired, if the tests sign the tokens.
    pub fn expired_token(&self) -> Option<String> {
        match &self.tokens {
            Tokens::Signed(key) => Some(sign_token(key, TimeDelta::minutes(-5))),
            Tokens::None | Tokens::Issued(_) => None,
        }
    }
}

/// Signs a token (JWT) that is valid for this duration.
fn sign_token(key: &Path, validity: TimeDelta) -> String {
    let [issued, expires] =
        [TimeDelta::hours(-1), validity].map(|delta| (Utc::now() + delta).timestamp());
    let parts = [
        json!({ "alg": "RS256", "typ": "JWT" }),
        json!({ "sub": "ana", "iat": issued, "exp": expires }),
    ];
    let signed = parts
        .map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()))
        .join(".");
    let sign = ["dgst", "-sha256", "-sign", key.to_str().unwrap()];
    let signature = BASE64_URL_SAFE_NO_PAD.encode(openssl(&sign, signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// Starts Iceberg's own catalog over this storage.
pub fn iceberg(storage: &Storage) -> ThirdPartyCatalog {
    let folder = TempDir::new().unwrap().keep();
    let (running, url) = start_catalog(&storage.url, CATALOG_CREDENTIALS, &folder);
    ThirdPartyCatalog {
        url,
        warehouse: "",
        bucket: BUCKET,
        tokens: Tokens::None,
        _server: Some(Running::from(running)),
    }
}

/// Starts Nessie over this storage. It requires tokens.
pub fn nessie(storage: &Storage) -> ThirdPartyCatalog {
    let (folder, ports) = (
        TempDir::new().unwrap(),
        [(); 2].map(|()| ReservedPort::reserve()),
    );
    let key = folder.path().join("key.pem");
    let path = key.to_str().unwrap();
    let rsa = ["genpkey", "-algorithm", "RSA", "-quiet", "-out", path];
    openssl(&rsa, b"");
    let public = openssl(&["pkey", "-in", path, "-pubout", "-outform", "DER"], b"");
    let [key_id, secret] = CATALOG_CREDENTIALS;
    let s3 = "nessie.catalog.service.s3.default-options";
    let settings = [
        ("quarkus.http.host", "127.0.0.1"),
        ("quarkus.http.port", &ports[0].number().to_string()),
        ("quarkus.management.host", "127.0.0.1"),
        ("quarkus.management.port", &ports[1].number().to_string()),
        ("quarkus.oidc.tenant-enabled", "true"),
        ("quarkus.oidc.public-key", &BASE64_STANDARD.encode(public)),
        ("nessie.server.authentication.enabled", "true"),
        ("nessie.catalog.default-warehouse", "lake"),
        (
            "nessie.catalog.warehouses.lake.location",
            &format!("s3://{BUCKET}/nessie"),
        ),
        (&format!("{s3}.endpoint"), &storage.url),
        (&format!("{s3}.path-style-access"), "true"),
        (&format!("{s3}.region"), "us-east-1"),
        (
            &format!("{s3}.access-key"),
            "urn:nessie-secret:quarkus:lake.credentials",
        ),
        ("lake.credentials.name", key_id),
        ("lake.credentials.secret", secret),
    ];
    let lines = settings.map(|(name, value)| format!("{name}={value}\n"));
    // Quarkus reads this file in the working directory.
    fs::create_dir(folder.path().join("config")).unwrap();
    fs::write(
        folder.path().join("config/application.properties"),
        lines.concat(),
    )
    .unwrap();

    let files = tools::nessie();
    let mut command = Command::new(files.join("java"));
    // The process serves for a minute, so optimising compilation would not pay off.
    command
        .args(["-XX:TieredStopAtLevel=1", "-Xmx512m", "-jar"])
        .arg(files.join("nessie.jar"));
    let url = ports[0].url();
    ThirdPartyCatalog {
        _server: Some(Running::start(&url, folder, ports.into(), &command)),
        url: format!("{url}/iceberg"),
        warehouse: "lake",
        bucket: BUCKET,
        tokens: Tokens::Signed(key),
    }
}

/// Returns the catalog that is a part of this storage. It issues tokens (OAuth2 client credentials).
pub fn built_in(storage: &Storage) -> ThirdPartyCatalog {
    let url = storage.catalog.clone().unwrap();
    let [id, secret] = CATALOG_CREDENTIALS;
    let asked = Command::new("curl")
        .args(["--silent", "--fail", "--noproxy", "*"])
        .args(["--data", "grant_type=client_credentials"])
        .args(["--data-urlencode", &format!("client_id={id}")])
        .args(["--data-urlencode", &format!("client_secret={secret}")])
        .arg(format!("{url}/v1/oauth/tokens"))
        .output()
        .unwrap();
    let issued: Value = serde_json::from_slice(&asked.stdout).unwrap();
    ThirdPartyCatalog {
        url,
        // DuckDB takes this for the path of a file.
        warehouse: "s3://tables/",
        bucket: TABLE_BUCKET,
        tokens: Tokens::Issued(issued["access_token"].as_str().unwrap().to_owned()),
        _server: None,
    }
}

/// Runs `openssl` with this input. Returns its output.
fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut running = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    running.stdin.take().unwrap().write_all(input).unwrap();
    let ended = running.wait_with_output().unwrap();
    assert!(ended.status.success(), "openssl {arguments:?} failed");
    ended.stdout
}
