//! A browser, and Traefik with TLS: the parts between a person and a door.

use std::{
    io::{BufRead, BufReader},
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use discord_loopback::MessageView;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    cluster::{Cluster, Namespaces},
    tools,
    wait::WAIT_TIMEOUT,
};

/// Domain of the sessions' hosts.
const DOMAIN: &str = "duck.example.com";

/// Traefik with a wildcard certificate, and the authority that signed it. Stops on drop.
pub struct Traefik {
    pub address: String,
    log: PathBuf,
    pub certificates: Certificates,
    _running: Child,
}

impl Traefik {
    /// Starts Traefik with routes to the sessions of an installation. A Gateway can be in either of its
    /// namespaces.
    pub fn start(cluster: &Namespaces) -> Self {
        let certificates = Certificates::of(&format!("*.{DOMAIN}"));
        let namespaces = format!("{},{}", cluster.sessions, cluster.bot);
        Self::run(&namespaces, certificates, None, None)
    }

    /// Starts Traefik with routes to the sessions in a namespace, on port 443 of an address of this machine.
    pub fn start_on(address: IpAddr, sessions: &str, certificates: Certificates) -> Self {
        let address = SocketAddr::new(address, 443);
        Self::run(sessions, certificates, Some(address), None)
    }

    /// Same as [`Self::start_on`], with a further option of Traefik.
    pub fn start_with(
        option: &str,
        address: IpAddr,
        sessions: &str,
        certificates: Certificates,
    ) -> Self {
        let address = SocketAddr::new(address, 443);
        Self::run(sessions, certificates, Some(address), Some(option))
    }

    fn run(
        namespaces: &str,
        certificates: Certificates,
        address: Option<SocketAddr>,
        option: Option<&str>,
    ) -> Self {
        let mut running = Command::new(tools::script("traefik/run"))
            .arg(tools::traefik())
            .arg(Cluster::shared().kubeconfig())
            .arg(namespaces)
            .args(["leaf.pem", "leaf.key"].map(|name| certificates.file(name)))
            .args(address.map(|it| it.to_string()))
            .envs(option.map(|it| ("DUCKBOT_TEST_TRAEFIK_OPTION", it)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let line = first_line(&mut running);
        let mut words = line.strip_prefix("ready ").expect(&line).split(' ');
        let (address, log) = (words.next().unwrap(), words.next().unwrap());
        Self {
            address: address.to_owned(),
            log: log.into(),
            certificates,
            _running: running,
        }
    }

    /// Client that reaches the host of a session through Traefik, and trusts its authority.
    pub fn client(&self, session: &str) -> reqwest::Client {
        self.client_with(session, &self.certificates)
    }

    /// Same as [`Self::client`], with trust in the authority of other certificates.
    pub fn client_with(&self, session: &str, certificates: &Certificates) -> reqwest::Client {
        self.builder(session, certificates).build().unwrap()
    }

    /// Same as [`Self::client`], for further settings.
    pub fn client_builder(&self, session: &str) -> reqwest::ClientBuilder {
        self.builder(session, &self.certificates)
    }

    fn builder(&self, session: &str, certificates: &Certificates) -> reqwest::ClientBuilder {
        let authority = std::fs::read(certificates.file("ca.pem")).unwrap();
        let authority = reqwest::Certificate::from_pem(&authority).unwrap();
        let host = format!("duckui-{session}.{DOMAIN}");
        let client = reqwest::Client::builder().no_proxy();
        let client = client.add_root_certificate(authority);
        client.resolve(&host, self.address.parse().unwrap())
    }

    /// Access log of Traefik.
    pub fn access_log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

/// Test authority (`ca.pem`) and a certificate signed by it (`leaf.pem`, `leaf.key`).
pub struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// Creates an authority and a certificate for `name`.
    pub fn of(name: &str) -> Self {
        Self::valid_for(&[name], 1)
    }

    /// Creates an authority and a certificate for these names, which expires after some days.
    pub fn valid_for(names: &[&str], days: u32) -> Self {
        let folder = TempDir::new().unwrap();
        let run = |arguments: &[&str]| {
            let done = Command::new("openssl")
                .args(arguments)
                .current_dir(&folder)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{said}");
        };
        let key = [
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-noenc",
        ];
        let names = format!("subjectAltName=IP:127.0.0.1,DNS:{}", names.join(",DNS:"));
        let days = days.to_string();
        let authority = ["req", "-x509", "-days", "99", "-subj", "/CN=Test authority"];
        let files = ["-keyout", "ca.key", "-out", "ca.pem"];
        run(&[&authority[..], &key, &files].concat());
        let leaf = [
            "req", "-x509", "-days", &days, "-subj", "/CN=Leaf", "-addext", &names,
        ];
        let no_authority = ["-addext", "basicConstraints=critical,CA:FALSE"];
        let signed = ["-CA", "ca.pem", "-CAkey", "ca.key"];
        let files = ["-keyout", "leaf.key", "-out", "leaf.pem"];
        run(&[&leaf[..], &no_authority, &key, &signed, &files].concat());
        Self { folder }
    }

    /// Path of one of the files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Number of characters that a failed wait shows. Logs of CI cut longer messages.
const SHOWN_CHARS: usize = 1500;

/// Browser of a person, controlled with plain WebDriver. Stops on drop.
pub struct Browser {
    client: reqwest::Client,
    session: String,
    /// Process that ends when its standard input closes.
    _running: Child,
}

impl Browser {
    /// Starts a browser that reaches sessions through Traefik and trusts its authority.
    pub async fn at(traefik: &Traefik) -> Self {
        let rules = format!("MAP *.{DOMAIN}:443 {}", traefik.address);
        Self::start(&traefik.certificates, &rules).await
    }

    /// Starts a browser that reaches only this machine.
    pub async fn start_local() -> Self {
        Self::start(
            &Certificates::of("localhost"),
            "MAP * ~NOTFOUND, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
        )
        .await
    }

    async fn start(certificates: &Certificates, rules: &str) -> Self {
        let programs = tools::chromium();
        let mut running = Command::new(tools::script("chromium/run"))
            .arg(&programs)
            .arg(certificates.file("ca.pem"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let line = first_line(&mut running);
        let url = line.strip_prefix("ready ").expect(&line);
        let mut browser = Self {
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            session: format!("{url}/session"),
            _running: running,
        };
        let rules = format!("--host-resolver-rules={rules}");
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=900,600",
            &rules,
        ];
        let options = json!({ "binary": programs.join("chromium"), "args": arguments });
        let wanted = json!({ "alwaysMatch": {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "performance": "ALL" },
        }});
        let begun = browser.call("", json!({ "capabilities": wanted })).await;
        let begun = begun.unwrap();
        let id = begun["sessionId"].as_str().unwrap();
        browser.session = format!("{}/{id}", browser.session);
        let patience = json!({ "implicit": WAIT_TIMEOUT.as_millis() as u64 });
        browser.call("/timeouts", patience).await.unwrap();
        browser
    }

    /// Opens a URL.
    pub async fn open(&self, url: &str) {
        self.call("/url", json!({ "url": url })).await.unwrap();
    }

    /// Waits until the page shows `text`.
    pub async fn wait_for_text(&self, text: &str) {
        let read = async { while !self.page().await.contains(text) {} };
        if tokio::time::timeout(WAIT_TIMEOUT, read).await.is_err() {
            let page = self.page().await;
            let cut = page.char_indices().rev().nth(SHOWN_CHARS - 1);
            let end = &page[cut.map_or(0, |(at, _)| at)..];
            panic!("the page does not show {text:?}. It ends with:\n{end}");
        }
    }

    /// Visible text of the page.
    pub async fn page(&self) -> String {
        // During navigation there is no body.
        let text = "return document.body ? document.body.innerText : ''";
        self.run_script(text)
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// URL of the page.
    pub async fn address(&self) -> String {
        self.run_script("return location.href")
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Runs a script in the page. Returns its result, after awaiting a promise. Returns null if the
    /// script fails.
    pub async fn run_script(&self, script: &str) -> Value {
        let script = json!({ "script": script, "args": [] });
        let ran = self.call("/execute/sync", script).await;
        ran.unwrap_or(Value::Null)
    }

    /// URLs that pages have requested since the last call, from the browser's network log.
    pub async fn requested_urls(&self) -> Vec<String> {
        let log = json!({ "type": "performance" });
        let log = self.call("/se/log", log).await.unwrap();
        let lines = log.as_array().unwrap().iter();
        let events = lines.filter_map(|line| {
            let event: Value = serde_json::from_str(line["message"].as_str()?).ok()?;
            let event = &event["message"];
            let sent = event["method"] == "Network.requestWillBeSent";
            let url = event["params"]["request"]["url"].as_str()?;
            sent.then(|| url.to_owned())
        });
        events.collect()
    }

    /// Bytes of memory that the page's scripts use, after a garbage collection.
    pub async fn script_memory(&self) -> u64 {
        for command in ["HeapProfiler.enable", "HeapProfiler.collectGarbage"] {
            let command = json!({ "cmd": command, "params": {} });
            self.call("/goog/cdp/execute", command).await.unwrap();
        }
        let command = json!({ "cmd": "Runtime.getHeapUsage", "params": {} });
        let usage = self.call("/goog/cdp/execute", command).await.unwrap();
        usage["usedSize"].as_f64().unwrap() as u64
    }

    /// Lets requests for URLs that match a pattern fail from now on. `*` stands for any text.
    pub async fn block(&self, pattern: &str) {
        for (command, params) in [
            ("Network.enable", json!({})),
            ("Network.setBlockedURLs", json!({ "urls": [pattern] })),
        ] {
            let command = json!({ "cmd": command, "params": params });
            self.call("/goog/cdp/execute", command).await.unwrap();
        }
    }

    /// Cookies of this page, including those that scripts can't read.
    pub async fn cookies(&self) -> Value {
        self.get("/cookie").await
    }

    /// Saves a screenshot to the folder `DUCKBOT_TEST_PICTURES`, if that is set.
    pub async fn save_screenshot(&self, name: &str) {
        use base64::{Engine, prelude::BASE64_STANDARD};
        let Some(folder) = std::env::var_os("DUCKBOT_TEST_PICTURES") else {
            return;
        };
        let picture = self.get("/screenshot").await;
        let picture = BASE64_STANDARD.decode(picture.as_str().unwrap()).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
    }

    /// Resizes the window, in pixels.
    pub async fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height });
        self.call("/window/rect", size).await.unwrap();
    }

    /// Shows pages as on a phone of 375 × 667 pixels. Windows can't be that narrow.
    pub async fn emulate_phone(&self) {
        let params = json!({ "width": 375, "height": 667, "deviceScaleFactor": 2, "mobile": true });
        let command = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": params });
        self.call("/goog/cdp/execute", command).await.unwrap();
    }

    /// Types text into the focused element. A newline is the Enter key.
    pub async fn type_text(&self, text: &str) {
        let focused = self.get("/element/active").await;
        let text = text.replace('\n', "\u{E007}");
        let typed = self
            .act_on(&focused, "value", json!({ "text": text }))
            .await;
        typed.unwrap();
    }

    /// Waits for elements that match an XPath, and clicks the last one.
    pub async fn click(&self, path: &str) {
        let wanted = json!({ "using": "xpath", "value": format!("({path})[last()]") });
        loop {
            let found = self.call("/element", wanted.clone()).await.expect(path);
            match self.act_on(&found, "click", json!({})).await {
                // The page was redrawn in between.
                Err(why) if why.contains("stale element") => {}
                clicked => break drop(clicked.unwrap()),
            }
        }
    }

    /// Clicks the last button with this label.
    pub async fn press_button(&self, label: &str) {
        self.click(&format!("//button[normalize-space()='{label}']"))
            .await;
    }

    async fn act_on(&self, element: &Value, verb: &str, body: Value) -> Result<Value, String> {
        let id = element.as_object().and_then(|it| it.values().next());
        let id = id.and_then(Value::as_str).unwrap();
        self.call(&format!("/element/{id}/{verb}"), body).await
    }

    async fn get(&self, path: &str) -> Value {
        let asked = self.client.get(format!("{}{path}", self.session));
        self.send(asked).await.unwrap()
    }

    async fn call(&self, path: &str, body: Value) -> Result<Value, String> {
        let asked = self.client.post(format!("{}{path}", self.session));
        self.send(asked.json(&body)).await
    }

    async fn send(&self, asked: RequestBuilder) -> Result<Value, String> {
        let answer: Value = asked.send().await.unwrap().json().await.unwrap();
        match answer["value"]["error"].as_str() {
            Some(_) => Err(answer["value"]["message"].to_string()),
            None => Ok(answer["value"].clone()),
        }
    }
}

/// URL of a link button.
pub fn link_of(message: &MessageView, label: &str) -> String {
    let button = message
        .button(label)
        .unwrap_or_else(|| panic!("{message:?}"));
    button.url.clone().expect("the button is a link")
}

fn first_line(running: &mut Child) -> String {
    let mut line = String::new();
    let output = running.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    line.trim().to_owned()
}
