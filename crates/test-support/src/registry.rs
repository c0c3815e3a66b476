//! Image registry for the nodes: the pull side of the OCI distribution API, over the image layout
//! that `cluster/images` creates.
//!
//! The first part of a repository's name selects the behaviour: `private/duckui` is refused,
//! `broken/duckui` fails, and `missing/duckui` does not exist. `held-x/duckui` waits for a
//! [release](Registry::release) of `held-x`. `shipped/…` and `whole/…` are the images of
//! `deploy/images`.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    path::{Path as FsPath, PathBuf},
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use tokio::sync::watch;

/// State shared with the request handlers.
struct Inner {
    layout: PathBuf,
    shipped: OnceLock<PathBuf>,
    whole: OnceLock<PathBuf>,
    released: watch::Sender<HashSet<String>>,
}

/// Registry of this test run. Runs on its own thread, because it outlives the test that started it.
pub struct Registry {
    pub url: String,
    inner: Arc<Inner>,
}

impl Registry {
    /// Serves an image layout on `address`.
    pub fn start(address: IpAddr, layout: PathBuf) -> Self {
        let inner = Arc::new(Inner {
            layout,
            shipped: OnceLock::new(),
            whole: OnceLock::new(),
            released: watch::Sender::new(HashSet::new()),
        });
        let listener = std::net::TcpListener::bind(SocketAddr::new(address, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/v2/", get(StatusCode::OK))
            .route("/v2/{*path}", get(pull))
            .with_state(inner.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, app).await.unwrap();
            });
        });
        Self { url, inner }
    }

    /// Serves the images of `deploy/images` with the tests' program. The first call creates them with `build`.
    pub fn ship(&self, build: impl FnOnce() -> PathBuf) {
        self.inner.shipped.get_or_init(build);
    }

    /// Serves the images of `deploy/images` as they are released.
    pub fn ship_whole(&self, build: impl FnOnce() -> PathBuf) {
        self.inner.whole.get_or_init(build);
    }

    /// Lets pulls of `held-x/…` continue.
    pub fn release(&self, held: &str) {
        self.inner.released.send_modify(|all| {
            all.insert(held.to_owned());
        });
    }
}

async fn pull(State(inner): State<Arc<Inner>>, Path(path): Path<String>) -> Response {
    let parts: Vec<_> = path.split('/').collect();
    let [name @ .., kind, reference] = &parts[..] else {
        return refusal(404, "NAME_UNKNOWN");
    };
    match name.first() {
        Some(&"private") => return refusal(401, "UNAUTHORIZED"),
        Some(&"broken") => return refusal(500, "UNKNOWN"),
        Some(&"missing") => return refusal(404, "MANIFEST_UNKNOWN"),
        Some(held) if held.starts_with("held-") => {
            let mut released = inner.released.subscribe();
            let is_released = |all: &HashSet<String>| all.contains(*held);
            released.wait_for(is_released).await.unwrap();
        }
        _ => {}
    }
    let layout = match name.first() {
        Some(&"shipped") => inner.shipped.get().expect("the shipped images are built"),
        Some(&"whole") => inner.whole.get().expect("the whole images are built"),
        _ => &inner.layout,
    };
    let image = format!("{}:{reference}", name.last().unwrap_or(&""));
    match *kind {
        "manifests" => match manifest(layout, &image, reference) {
            Some((digest, media_type)) => blob(layout, &digest, &media_type).await,
            None => refusal(404, "MANIFEST_UNKNOWN"),
        },
        "blobs" => blob(layout, reference, "application/octet-stream").await,
        _ => refusal(404, "UNSUPPORTED"),
    }
}

/// Returns the digest and media type of a manifest, found by image name or digest.
fn manifest(layout: &FsPath, image: &str, reference: &str) -> Option<(String, String)> {
    let index = std::fs::read_to_string(layout.join("index.json")).unwrap();
    let index: Value = serde_json::from_str(&index).unwrap();
    let found = index["manifests"].as_array()?.iter().find(|it| {
        it["annotations"]["org.opencontainers.image.ref.name"] == image || it["digest"] == reference
    })?;
    let text = |name: &str| Some(found[name].as_str()?.to_owned());
    Some((text("digest")?, text("mediaType")?))
}

async fn blob(layout: &FsPath, digest: &str, media_type: &str) -> Response {
    let name = digest.trim_start_matches("sha256:");
    let path = layout.join("blobs/sha256").join(name);
    let Ok(content) = tokio::fs::read(path).await else {
        return refusal(404, "BLOB_UNKNOWN");
    };
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_LENGTH, content.len().to_string()),
        (
            header::HeaderName::from_static("docker-content-digest"),
            digest.to_owned(),
        ),
    ];
    (headers, Body::from(content)).into_response()
}

fn refusal(code: u16, reason: &str) -> Response {
    let body = json!({ "errors": [{ "code": reason, "message": reason }] });
    (StatusCode::from_u16(code).unwrap(), body.to_string()).into_response()
}
