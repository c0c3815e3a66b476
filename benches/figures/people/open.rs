//! `/duck open` to the first byte of DuckDB's page. The floor is a bot that answers with a link to a bare proxy in the same
//! Pod.

use std::{
    fs,
    net::TcpListener,
    process::Stdio,
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::Pod;
use reqwest::{Response, redirect};
use serde_json::json;
use tempfile::TempDir;
use test_support::{Bot, Cluster, PAGE, TestEnv, Traefik, UiAssets, link_of};
use tokio::process::{Child, Command};

use super::{
    LINK, Team,
    by_kubectl::{kubectl, write},
    print_parts, proxy,
    visit::{Visit, cookie_of},
};
use crate::{setup, table::Row};

const ROUNDS: usize = 31;
/// The session's ID in the host of the floor's URL.
const FLOOR: &str = "floor0";

/// The floor: a bot that posts links, and a proxy in the session's Pod.
struct Floor {
    env: TestEnv,
    _bot: Bot,
    _proxy: Child,
}

pub async fn row(team: &mut Team) -> Row {
    let listener = TcpListener::bind((Cluster::shared().host(), 0)).unwrap();
    // DuckDB gets the pages of its UI through it.
    let pages = UiAssets::start_on(listener, UiAssets::certificates());
    team.env.kill_bot().await;
    let authority = pages.certificates.file("ca.pem").display().to_string();
    for (name, value) in [
        ("DUCKBOT_DUCKDB__HTTP_PROXY", &pages.proxy),
        ("DUCKBOT_TLS__CA_FILE", &authority),
    ] {
        team.env.variables.insert(name.into(), value.clone());
    }
    team.env.start_bot().await;
    let session = team.env.ready_session(&team.env.ana).await;
    team.env.wait_until_prepared(&session).await;
    let floor = Floor::start(team, &session).await;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(time_one(team, &session).await);
        theirs.push(floor.time_one(&team.traefik).await);
    }
    team.env.clean_up().await;
    print_parts("open", ["link", "let in", "page"], &ours);
    print_parts("open, floor", ["link", "let in", "page"], &theirs);
    let last = |times: Vec<[Duration; 3]>| times.iter().map(|it| it[2]).collect();
    Row::of_times(
        "people: from `/duck open` to the first byte of the page",
        ("at most 1.3", &[1.3]),
        &[ours, theirs].map(last),
    )
}

/// Opens Ana's session. Returns the times until she has the link, is let in, and the page begins.
async fn time_one(team: &Team, session: &str) -> [Duration; 3] {
    let begin = Instant::now();
    let (link, linked) = ask_for_link(&team.env, begin).await;
    let visit = Visit::enter(&team.traefik, session, || link).await;
    let entered = begin.elapsed();
    let page = visit.open().await;
    let opened = begin.elapsed();
    assert_is_page(page).await;
    [linked, entered, opened]
}

/// Types `/duck open`. Returns the link and the time since `begin`.
async fn ask_for_link(env: &TestEnv, begin: Instant) -> (String, Duration) {
    let asked = env.ana.run_command("#data", "/duck open").await.unwrap();
    let reply = asked.until(|it| it.button(LINK).is_some()).await;
    (link_of(&reply, LINK), begin.elapsed())
}

async fn assert_is_page(answer: Response) {
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!((status.as_u16(), &*text), (200, PAGE));
}

impl Floor {
    async fn start(team: &Team, session: &str) -> Self {
        let host = format!("duckui-{FLOOR}.duck.example.com");
        let metadata = json!({ "name": FLOOR, "namespace": team.env.cluster.sessions });
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": {
                "selector": { "duckbot.dev/session": session },
                "ports": [{ "port": 80, "targetPort": proxy::PORT }],
            },
        });
        let route = json!({
            "apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "metadata": metadata,
            "spec": {
                "entryPoints": ["websecure"], "tls": {},
                "routes": [{
                    "kind": "Rule", "match": format!("Host(`{host}`)"),
                    "services": [{ "kind": "Service", "name": FLOOR, "port": 80 }],
                }],
            },
        });
        let folder = TempDir::new().unwrap();
        kubectl("apply", &write(&folder, &[service, route])).await;
        let name = format!("duckui-{session}");
        let proxy = start_proxy(&team.env.cluster.pods().get(&name).await.unwrap());
        let env = setup::env(0, None, &[]).await;
        let link = format!("https://{host}{}", proxy::ENTER);
        let bot = setup::floor(&format!("links:{link}"), &env);
        env.discord.wait_connected().await;
        env.discord.wait_for_commands().await;
        let client = team.traefik.client_builder(FLOOR).build().unwrap();
        let no_page = async || client.get(&*link).send().await.unwrap().status() != 401;
        // Without the cookie, the page after the redirect is refused.
        while no_page().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self {
            env,
            _bot: bot,
            _proxy: proxy,
        }
    }

    async fn time_one(&self, traefik: &Traefik) -> [Duration; 3] {
        let begin = Instant::now();
        let (link, linked) = ask_for_link(&self.env, begin).await;
        let client = traefik.client_builder(FLOOR);
        let client = client.redirect(redirect::Policy::none()).build().unwrap();
        let admitted = client.get(&link).send().await.unwrap();
        let cookie = cookie_of(&admitted);
        // The rest of the answer frees the connection for the next request.
        admitted.bytes().await.unwrap();
        let entered = begin.elapsed();
        let page = client.get(link.replace(proxy::ENTER, "/"));
        let page = page.header("cookie", cookie).send().await.unwrap();
        let opened = begin.elapsed();
        assert_is_page(page).await;
        [linked, entered, opened]
    }
}

/// Starts the proxy in the network of a Pod.
fn start_proxy(pod: &Pod) -> Child {
    let uid = pod.metadata.uid.as_ref().unwrap();
    let is_in_pod = |id: &String| {
        let cgroups = fs::read_to_string(format!("/proc/{id}/cgroup"));
        cgroups.is_ok_and(|cgroups| cgroups.contains(uid))
    };
    let all = fs::read_dir("/proc").unwrap();
    let mut all = all.map(|it| it.unwrap().file_name().into_string().unwrap());
    let process = all.find(is_in_pod).unwrap();
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "nsenter", "--net", "--target"])
        .arg(process)
        .arg(std::env::current_exe().unwrap())
        .arg("floor:proxy")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}
