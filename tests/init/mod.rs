//! Tests of `duckbot init`: as a person at a terminal, and as a script.

mod terminal;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use tempfile::TempDir;
use test_support::{Catalog, Certificates, ReservedPort, S3, command};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::deploy::{copy, kubectl};
pub use terminal::Terminal;

/// Engineer with a folder, a catalog and a storage.
struct Desk {
    folder: TempDir,
    catalog: Catalog,
    s3: S3,
}

/// Program of the bot.
const DUCKBOT: &str = env!("CARGO_BIN_EXE_duckbot");

impl Desk {
    async fn start() -> Self {
        let catalog = Catalog::start().await;
        catalog.accept_everyone();
        Self {
            folder: TempDir::new().unwrap(),
            catalog,
            s3: S3::start().await,
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("duckbot-values.yaml")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    fn terminal(&self) -> Terminal {
        Terminal::start(&format!("{DUCKBOT} init"), self.folder.path(), &[].into())
    }

    /// Flags that answer all questions without a default.
    fn flags(&self) -> Vec<String> {
        [
            "--guild=1029384756102938475",
            "--domain=localhost.localdomain",
            "--registry=registry.example.com",
            &format!("--catalog={}", self.catalog.url()),
            &format!("--storage={}", self.s3.url()),
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// Runs the command as a script does, without a terminal.
    async fn run(&self, flags: &[String]) -> (i32, String) {
        let mut arguments = vec!["init"];
        arguments.extend(flags.iter().map(String::as_str));
        let mut run = command(&arguments, &[].into());
        let Output {
            status,
            stdout,
            stderr,
        } = run.current_dir(&self.folder).output().await.unwrap();
        let text = [stderr, stdout].map(|it| String::from_utf8(it).unwrap());
        (status.code().unwrap(), text.concat())
    }

    /// Names of the files in the folder.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }
}

#[tokio::test]
async fn questions_are_asked_checked_and_offered_again() {
    let desk = Desk::start().await;
    let mut terminal = desk.terminal();
    terminal.answer("server ID", "my server").await;
    terminal
        .answer("the ID of a Discord server", "1029384756102938475")
        .await;
    terminal
        .answer("Domain of the sessions", "duck.test.invalid")
        .await;
    terminal
        .wait_for_any(&["WRONG DNS: duckui-000000.duck.test.invalid does not resolve"])
        .await;
    terminal.answer("Keep this answer? [y/N]", "y").await;
    // A path too much.
    let wrong = format!("{}/nowhere", desk.s3.url());
    terminal.answer("Iceberg REST catalog", &wrong).await;
    terminal.wait_for_any(&["WRONG catalog: "]).await;
    terminal.answer("Keep this answer? [y/N]", "").await;
    terminal
        .answer("Iceberg REST catalog", &desk.catalog.url())
        .await;
    terminal.wait_for_any(&["ok    catalog: "]).await;
    terminal.answer("Warehouse", "").await;
    terminal.answer("unless it is AWS", &desk.s3.url()).await;
    terminal
        .answer("Region of the S3 storage [us-east-1]", "")
        .await;
    terminal.wait_for_any(&["ok    storage: "]).await;
    terminal.answer("Ingress controller", "nginx").await;
    terminal
        .answer("or of the Gateway's proxies [ingress-nginx]", "")
        .await;
    terminal.answer("Private networks", "10.1.2.3/32").await;
    terminal
        .answer("Registry and path", "registry.example.com/team")
        .await;
    terminal.answer("Tag of both images", "").await;
    let (code, screen) = terminal.end().await;
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("Wrote duckbot-values.yaml."), "{screen}");
    assert!(
        screen.contains("kubectl create secret generic duckbot-discord"),
        "{screen}"
    );
    let text = desk.text();
    assert!(text.contains("guild: \"1029384756102938475\""), "{text}");
    assert!(text.contains("cidrs: [\"10.1.2.3/32\"]"), "{text}");

    // A person edits the file, and then changes one answer: all others are offered.
    let edited = text.replace("settings:\n", "settings:\n  sessions: { per_user: 3 }\n");
    fs::write(desk.file(), &edited).unwrap();
    let mut terminal = desk.terminal();
    terminal.answer("server ID (with Developer Mode: right-click the server, Copy Server ID) [1029384756102938475]", "").await;
    terminal.answer("[duck.test.invalid]", "").await;
    terminal.answer("Keep this answer?", "y").await;
    for prompt in [
        "Iceberg REST",
        "Warehouse",
        "AWS",
        "us-east-1",
        "[nginx]",
        "[ingress-nginx]",
    ] {
        terminal.answer(prompt, "").await;
    }
    terminal.answer("[10.1.2.3/32]", "-").await;
    terminal.answer("[registry.example.com/team]", "").await;
    terminal.answer("Tag", "0.2.0").await;
    let (code, screen) = terminal.end().await;
    assert_eq!(code, 0, "{screen}");
    let text = desk.text();
    assert!(
        text.contains("per_user: 3") && text.contains("tag: \"0.2.0\""),
        "{text}"
    );
    assert!(!text.contains("privateLake"), "{text}");
}

#[tokio::test]
async fn a_secret_is_refused_and_an_interrupted_run_leaves_nothing() {
    let desk = Desk::start().await;
    let token = "MTU3NTQ2MjgzNzU1MDA1NTQyOA.GquACk.not-a-real-token-but-as-long-as-1";
    let mut terminal = desk.terminal();
    terminal.answer("server ID", token).await;
    terminal
        .answer("This looks like a token or a key.", "1029384756102938475")
        .await;
    terminal.wait_for_any(&["Domain of the sessions"]).await;
    // Ctrl-C.
    terminal.press("\x03").await;
    let (code, screen) = terminal.end().await;
    assert_eq!(code, 130, "{screen}");
    assert_eq!(desk.files(), [""; 0]);

    let (code, text) = desk.run(&[format!("--guild={token}")]).await;
    assert_eq!(code, 2, "{text}");
    assert!(
        text.starts_with("duckbot: --guild: This looks like a token or a key."),
        "{text}"
    );
    assert!(!text.contains(token), "{text}");
    assert_eq!(desk.files(), [""; 0]);
}

#[tokio::test]
async fn without_a_terminal_flags_answer_and_missing_ones_are_named() {
    let desk = Desk::start().await;
    let mut flags = desk.flags();
    let (code, text) = desk.run(&flags[..2]).await;
    assert_eq!(code, 2, "{text}");
    for line in [
        "\n  --catalog: URL of the Iceberg REST catalog",
        "\n  --registry: ",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    assert!(
        !text.contains("--guild") && !text.contains("--tag"),
        "{text}"
    );
    assert_eq!(desk.files(), [""; 0]);
    for (flag, says) in [
        ("--ingress=gateway", "\n  --gateway: Gateway: its namespace"),
        (
            "--gateway=infra/web",
            "duckbot: --gateway needs --ingress=gateway",
        ),
    ] {
        let (code, text) = desk.run(&[flag.to_owned()]).await;
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(says), "{text}");
    }

    let (code, text) = desk.run(&flags).await;
    assert_eq!(code, 0, "{text}");
    for line in [
        "ok    catalog: ",
        "ok    storage: ",
        "Wrote duckbot-values.yaml.",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    let written = desk.text();

    // The last run's answers need no flags.
    let (code, text) = desk.run(&["--yes".into(), "--offline".into()]).await;
    assert_eq!(code, 0, "{text}");
    assert!(
        text.starts_with("duckbot-values.yaml has these answers already."),
        "{text}"
    );

    // An edit in the same line is not lost.
    fs::write(
        desk.file(),
        written.replace("tag: \"0.1.0\"", "tag: \"mine\""),
    )
    .unwrap();
    flags = vec!["--offline".into(), "--tag=0.2.0".into()];
    let (code, text) = desk.run(&flags).await;
    assert_eq!(code, 1, "{text}");
    for line in [
        "-   tag: \"mine\"\n",
        "+   tag: \"0.2.0\"\n",
        "nothing was written",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    assert!(desk.text().contains("tag: \"mine\""));
    flags.push("--overwrite".into());
    let (code, text) = desk.run(&flags).await;
    assert_eq!(code, 0, "{text}");
    assert_eq!(
        desk.text().replace("0.2.0", "0.1.0"),
        written,
        "only the tag changes"
    );
    assert_eq!(desk.files(), ["duckbot-values.yaml"]);
}

#[tokio::test]
async fn another_controller_does_not_keep_the_namespace_of_the_first_one() {
    let desk = Desk::start().await;
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    copy(&deploy, &desk.folder.path().join("deploy"));
    let own = |flags: &[&str]| flags.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    for (output, file) in [
        ("--values=duckbot-values.yaml", "duckbot-values.yaml"),
        (
            "--overlay=deploy/overlays/mine",
            "deploy/overlays/mine/kustomization.yaml",
        ),
    ] {
        let namespace = || {
            let text = fs::read_to_string(desk.folder.path().join(file)).unwrap();
            let line = text
                .lines()
                .find(|it| it.starts_with("#   ingress-namespace:"));
            line.unwrap().to_owned()
        };
        let run = async |more: &[&str]| {
            let flags = [own(&[output, "--offline"]), own(more)].concat();
            desk.run(&flags).await
        };
        let flags = [own(&[output, "--offline"]), desk.flags()].concat();
        let (code, text) = desk.run(&flags).await;
        assert_eq!(
            (code, namespace().as_str()),
            (0, "#   ingress-namespace: traefik"),
            "{text}"
        );

        // Nobody knows where the proxies of a Gateway run.
        let gateway = ["--ingress=gateway", "--gateway=infra/web/https"];
        let (code, text) = run(&gateway).await;
        assert_eq!(
            (code, namespace().as_str()),
            (2, "#   ingress-namespace: traefik"),
            "{text}"
        );
        let missing =
            "\n  --ingress-namespace: Namespace of the ingress controller, or of the Gateway's";
        assert!(text.contains(missing), "{text}");
        let (code, text) = run(&[&gateway[..], &["--ingress-namespace=envoy"]].concat()).await;
        assert_eq!(
            (code, namespace().as_str()),
            (0, "#   ingress-namespace: envoy"),
            "{text}"
        );

        // An answer that fits is offered again.
        let (code, text) = run(&["--tag=0.2.0"]).await;
        assert_eq!(
            (code, namespace().as_str()),
            (0, "#   ingress-namespace: envoy"),
            "{text}"
        );
        let (code, text) = run(&["--gateway=infra/other"]).await;
        assert_eq!(code, 2, "{text}");
        let (code, text) = run(&["--ingress=nginx"]).await;
        let nginx = "#   ingress-namespace: ingress-nginx";
        assert_eq!((code, namespace().as_str()), (0, nginx), "{text}");
    }
}

#[tokio::test]
async fn a_file_of_somebody_else_and_a_wrong_folder_are_left_alone() {
    let desk = Desk::start().await;
    fs::write(desk.file(), "image: {}\n").unwrap();
    let (code, text) = desk.run(&desk.flags()).await;
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("`duckbot init` did not write it; name another one"),
        "{text}"
    );
    assert_eq!(desk.text(), "image: {}\n");
    let mut flags = desk.flags();
    flags.extend(["--offline".into(), "--overlay=mine".into()]);
    let (code, text) = desk.run(&flags).await;
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("must be a folder in deploy/overlays"),
        "{text}"
    );
}

/// Starts a server whose certificate no machine trusts. Returns its URL.
async fn untrusted_server(certificates: &Certificates) -> (Child, String) {
    let mut server = Command::new("openssl")
        .args(["s_server", "-accept", "127.0.0.1:0", "-www", "-cert"])
        .arg(certificates.file("leaf.pem"))
        .arg("-key")
        .arg(certificates.file("leaf.key"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    loop {
        let line = lines.next_line().await.unwrap().expect("the server starts");
        if let Some((_, port)) = line
            .strip_prefix("ACCEPT ")
            .and_then(|it| it.rsplit_once(':'))
        {
            return (server, format!("https://localhost:{port}"));
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_address_is_said() {
    let desk = Desk::start().await;
    let certificates = Certificates::of("localhost");
    let (_server, untrusted) = untrusted_server(&certificates).await;
    let closed = ReservedPort::reserve();
    for (catalog, says) in [
        (
            desk.s3.url(),
            "answers as an S3 storage, not as an Iceberg REST catalog",
        ),
        (closed.url(), "does not answer; check the URL"),
        (
            untrusted,
            "if it is your own CA, give its certificate to the bot with the setting tls.ca_file",
        ),
        (
            "http://catalog.lake.svc:8181".into(),
            "a name inside the cluster",
        ),
    ] {
        let mut flags = desk.flags();
        flags[3] = format!("--catalog={catalog}");
        let (code, text) = desk.run(&flags).await;
        assert_eq!(code, 0, "{text}");
        assert!(text.contains(says), "{says:?} in {text}");
    }
    assert!(
        desk.text().contains("namespaces: [\"lake\"]"),
        "{}",
        desk.text()
    );
}

#[tokio::test]
async fn an_overlay_of_a_private_lake_is_rendered_by_kubectl() {
    let desk = Desk::start().await;
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    copy(&deploy, &desk.folder.path().join("deploy"));
    let mut flags = desk.flags();
    flags.extend(
        [
            "--overlay=deploy/overlays/mine",
            "--ingress=nginx",
            "--private-lake=10.1.2.3/32,minio,2024",
            "--tag=0.10",
        ]
        .map(str::to_owned),
    );
    let (code, text) = desk.run(&flags).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("-k deploy/overlays/mine"), "{text}");

    let overlay = desk.folder.path().join("deploy/overlays/mine");
    let rendered = kubectl(&format!("kustomize {}", overlay.display())).await;
    let s3 = desk.s3.url();
    let (_, port) = s3.rsplit_once(':').unwrap();
    for line in [
        "image: registry.example.com/duckbot:0.10",
        "cidr: 10.1.2.3/32",
        "kubernetes.io/metadata.name: minio",
        "kubernetes.io/metadata.name: \"2024\"",
        "kubernetes.io/metadata.name: ingress-nginx",
        &format!("- port: {port}\n"),
        "ingress_class = \"nginx\"",
        "\"nginx.ingress.kubernetes.io/proxy-buffering\" = \"off\"",
        &format!("s3_endpoint = \"{s3}\""),
    ] {
        assert!(rendered.contains(line), "{line:?} in\n{rendered}");
    }
}
