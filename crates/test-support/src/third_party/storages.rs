//! S3 servers. Each has one bucket, and three accounts: of the catalogs, of a person who may read and
//! write, and of a stranger.

use std::{fs, path::Path, process::Command, sync::LazyLock};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::running::Running;
use crate::{
    credentials::PERMANENT_CREDENTIALS,
    lake::{BUCKET, CATALOG_CREDENTIALS},
    reserved_port::ReservedPort,
    tools,
};

/// Credentials of an account that may not read the bucket.
pub const STRANGER_CREDENTIALS: [(&str, &str); 2] = [
    ("Access key ID", "AKIASTRANGER0000WXYZ"),
    ("Secret access key", "canary/StrangersSecretKey+11"),
];

/// Table bucket of SeaweedFS. Such a bucket is a catalog, and holds the files of its tables.
pub const TABLE_BUCKET: &str = "tables";

/// Role of SeaweedFS that everybody may assume.
const GUEST: &str = "arn:aws:iam::role/Guest";
/// Role of the credentials that SeaweedFS's catalog hands out.
const TABLES: &str = "arn:aws:iam::role/Tables";

/// Running S3 server.
pub struct Storage {
    /// URL with plain HTTP.
    pub url: String,
    /// URL of the catalog that is a part of the server.
    pub catalog: Option<String>,
    /// False if the server ignores a session token that comes with permanent keys.
    pub refuses_excess_tokens: bool,
    _server: Running,
}

impl Storage {
    /// Gets temporary credentials for the person's role from the server's STS.
    pub fn temporary_credentials(&self) -> [(&'static str, String); 3] {
        let [(_, id), (_, secret)] = PERMANENT_CREDENTIALS;
        let asked = Command::new("curl")
            .args(["--silent", "--fail", "--noproxy", "*"])
            .args(["--aws-sigv4", "aws:amz:us-east-1:sts"])
            .args(["--user", &format!("{id}:{secret}")])
            .args(["--data", "Action=AssumeRole&Version=2011-06-15"])
            .args(["--data-urlencode", &format!("RoleArn={GUEST}")])
            .args(["--data", "RoleSessionName=ana&DurationSeconds=900"])
            .arg(&self.url)
            .output()
            .unwrap();
        let document = String::from_utf8(asked.stdout).unwrap();
        let value = |element: &str| {
            let (_, rest) = document.split_once(&format!("<{element}>")).unwrap();
            rest.split('<').next().unwrap().to_owned()
        };
        [
            ("Access key ID", value("AccessKeyId")),
            ("Secret access key", value("SecretAccessKey")),
            ("Session token", value("SessionToken")),
        ]
    }
}

/// Returns a versitygw with the three accounts.
pub fn versitygw() -> &'static Storage {
    static STORAGE: LazyLock<Storage> = LazyLock::new(|| {
        let folder = TempDir::new().unwrap();
        let accounts = folder.path().join("accounts");
        fs::create_dir(&accounts).unwrap();
        let users = [PERMANENT_CREDENTIALS, STRANGER_CREDENTIALS].map(|[(_, id), (_, secret)]| {
            let user = json!({ "access": id, "secret": secret, "role": "user" });
            (id.to_owned(), user)
        });
        let users = json!({ "accessAccounts": Value::Object(users.into_iter().collect()) });
        fs::write(accounts.join("users.json"), users.to_string()).unwrap();
        let storage = start_versitygw(folder, &CATALOG_CREDENTIALS, Some(&accounts));

        let [administrator, secret] = CATALOG_CREDENTIALS;
        let given = Command::new(tools::versitygw())
            .args(["admin", "change-bucket-owner", "--bucket", BUCKET])
            .args(["--owner", PERMANENT_CREDENTIALS[0].1])
            .env("ADMIN_ENDPOINT_URL", &storage.url)
            .env("ADMIN_ACCESS_KEY_ID", administrator)
            .env("ADMIN_SECRET_ACCESS_KEY", secret)
            .status();
        assert!(given.unwrap().success(), "the bucket has no owner");
        storage
    });
    &STORAGE
}

/// Returns a versitygw with the person's account only. It then answers differently about unknown
/// accounts.
pub fn versitygw_with_one_account() -> &'static Storage {
    static STORAGE: LazyLock<Storage> = LazyLock::new(|| {
        let account = PERMANENT_CREDENTIALS.map(|(_, value)| value);
        start_versitygw(TempDir::new().unwrap(), &account, None)
    });
    &STORAGE
}

/// Starts a versitygw with this root account. `accounts` is the folder of further accounts.
fn start_versitygw(folder: TempDir, root: &[&str; 2], accounts: Option<&Path>) -> Storage {
    let port = ReservedPort::reserve();
    let [objects, metadata] = ["objects", "metadata"].map(|it| folder.path().join(it));
    fs::create_dir_all(objects.join(BUCKET)).unwrap();
    fs::create_dir(&metadata).unwrap();
    let mut command = Command::new(tools::versitygw());
    command.args(["--quiet", "--port", &format!("127.0.0.1:{}", port.number())]);
    if let Some(accounts) = accounts {
        command.arg("--iam-dir").arg(accounts);
    }
    command
        .args(["posix", "--sidecar"])
        .args([metadata, objects])
        .env("ROOT_ACCESS_KEY_ID", root[0])
        .env("ROOT_SECRET_ACCESS_KEY", root[1]);
    let url = port.url();
    Storage {
        _server: Running::start(&url, folder, vec![port], &command),
        url,
        catalog: None,
        refuses_excess_tokens: true,
    }
}

/// Returns a SeaweedFS with the three accounts.
pub fn seaweedfs() -> &'static Storage {
    static STORAGE: LazyLock<Storage> = LazyLock::new(start_seaweedfs);
    &STORAGE
}

fn start_seaweedfs() -> Storage {
    let folder = TempDir::new().unwrap();
    let identity = |name: &str, [id, secret]: [&str; 2], actions: &[String]| {
        json!({
            "name": name,
            "credentials": [{ "accessKey": id, "secretKey": secret }],
            "actions": actions,
        })
    };
    let using = |buckets: &[&str]| -> Vec<_> {
        let actions = ["Read", "Write", "List", "Tagging"].into_iter();
        actions
            .flat_map(|action| buckets.iter().map(move |it| format!("{action}:{it}")))
            .collect()
    };
    let [person, stranger] = [PERMANENT_CREDENTIALS, STRANGER_CREDENTIALS]
        .map(|credentials| credentials.map(|(_, value)| value));
    let identities = [
        identity("catalogs", CATALOG_CREDENTIALS, &["Admin".into()]),
        identity("person", person, &using(&[BUCKET, TABLE_BUCKET])),
        identity("stranger", stranger, &using(&["another"])),
    ];
    let allow = |mut statement: Value| {
        statement["Effect"] = "Allow".into();
        json!({ "Version": "2012-10-17", "Statement": [statement] })
    };
    let settings = json!({
        "identities": identities,
        "sts": { "signingKey": BASE64_STANDARD.encode([7; 32]), "issuer": "lake" },
        "roles": [
            {
                "roleName": "Guest",
                "roleArn": GUEST,
                "trustPolicy": allow(json!({ "Principal": "*", "Action": "sts:AssumeRole" })),
                "attachedPolicies": ["All"],
            },
            {
                "roleName": "Tables",
                "roleArn": TABLES,
                "trustPolicy": allow(json!({
                    "Principal": { "Federated": "iceberg-catalog" },
                    "Action": ["sts:AssumeRoleWithCredentials"],
                })),
                "attachedPolicies": ["All"],
            },
        ],
        "policies": [{
            "name": "All",
            "document": allow(json!({ "Action": "*", "Resource": "*" })),
        }],
    });
    fs::write(folder.path().join("iam.json"), settings.to_string()).unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();

    let mut command = Command::new(tools::seaweedfs());
    command.arg("mini").args([
        "-dir=data",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-s3.config=iam.json",
        "-s3.iam.config=iam.json",
        "-s3.localSocket=s3.sock",
        "-s3.port.lance=0",
        "-filer.localSocket=filer.sock",
        "-webdav=false",
        "-admin.ui=false",
        "-master.telemetry=false",
        &format!("-s3.iceberg.credentialRole={TABLES}"),
        &format!("-bucket={BUCKET}"),
        &format!("-tableBucket={TABLE_BUCKET}"),
    ]);
    let mut port_for = |option: &str| {
        let port = ReservedPort::reserve();
        command.arg(format!("-{option}={}", port.number()));
        port
    };
    let (s3, iceberg) = (port_for("s3.port"), port_for("s3.port.iceberg"));
    let (url, catalog) = (s3.url(), iceberg.url());
    let mut ports = vec![s3, iceberg, port_for("s3.port.grpc")];
    for server in ["master", "volume", "filer"] {
        ports.push(port_for(&format!("{server}.port")));
        ports.push(port_for(&format!("{server}.port.grpc")));
    }
    command.arg(format!("-s3.externalUrl={url}"));
    Storage {
        // The catalog starts last.
        _server: Running::start(&catalog, folder, ports, &command),
        url,
        catalog: Some(catalog),
        refuses_excess_tokens: false,
    }
}
