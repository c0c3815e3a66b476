//! The floor: a minimal program that creates the same objects with the same calls in the same
//! order, with one kube client. It checks no token, has no watches and no view, and panics on any
//! error.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use duckbot::{
    door::ticket::SigningKey,
    runtime::kubernetes::build,
    session::{CredentialSource, RECORD_VERSION, Record, SessionId},
    settings::Settings,
};
use k8s_openapi::{
    ByteString, NamespaceResourceScope,
    api::core::v1::{ConfigMap, Pod, Secret, Service},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::floor_bot::{self, Work};

/// Creates the objects of sessions.
pub struct Floor {
    pub settings: Settings,
    client: Client,
    key: String,
}

impl Floor {
    /// Connects to the cluster, with the bot's environment variables.
    pub async fn connect() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::try_default().await.unwrap();
        Self::new(&std::env::vars().collect(), client)
    }

    /// Same as [`Self::connect`], with these variables and this client.
    pub fn new(variables: &HashMap<String, String>, client: Client) -> Self {
        let key = SigningKey::read("2026-11-24-floor", &SigningKey::generate());
        Self {
            settings: Settings::load(None, variables.clone()).unwrap(),
            client,
            key: key.unwrap().public(),
        }
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.settings.kubernetes.namespace)
    }

    /// Creates a record like the bot's. Returns it with its UID and revision.
    pub async fn claim(
        &self,
        owner: u64,
        credentials: CredentialSource,
    ) -> (Record, String, String) {
        let id = SessionId::from_uuid(uuid::Uuid::new_v4());
        let record: Record = serde_json::from_value(json!({
            "version": RECORD_VERSION, "kind": "session", "id": id, "request": uuid::Uuid::new_v4().simple().to_string(),
            "owner": owner.to_string(), "workspace": "main", "display_name": "ana", "size": "small",
            "catalog": "lake", "channel": "5", "created": chrono::Utc::now(),
            "credentials": credentials, "credentials_warned": false, "restarts_told": 0,
            "extended_seconds": 0, "stage": "starting",
        }))
        .unwrap();
        let map = build::record(&self.settings, &record, None);
        let made: ConfigMap = self
            .api()
            .create(&PostParams::default(), &map)
            .await
            .unwrap();
        (
            record,
            made.uid().unwrap(),
            made.resource_version().unwrap(),
        )
    }

    /// Writes a Secret by one server-side apply.
    pub async fn apply_secret(&self, secret: &Secret) {
        let (secrets, name) = (self.api::<Secret>(), secret.name_any());
        let params = PatchParams::apply(build::DUCKBOT).force();
        secrets
            .patch_metadata(&name, &params, &Patch::Apply(secret))
            .await
            .unwrap();
    }

    /// Builds Pod, Service and route.
    pub fn objects(&self, record: &Record, uid: &str) -> (Pod, Service, DynamicObject) {
        let settings = &self.settings;
        let (size, catalog) = (
            settings.size(&record.size),
            settings.catalog(&record.catalog),
        );
        let pod = build::pod(
            settings,
            record,
            uid,
            size.unwrap(),
            &catalog.unwrap(),
            &self.key,
        );
        let service = build::service(settings, record, uid);
        (pod, service, build::route(settings, record, uid))
    }

    /// Creates Pod, Service and route in parallel.
    pub async fn create_objects(&self, record: &Record, uid: &str) {
        let (settings, params) = (&self.settings, PostParams::default());
        let (pod, service, route) = self.objects(record, uid);
        let kind = build::route_resource(settings.routing.kind);
        let namespace = &settings.kubernetes.namespace;
        let routes = Api::namespaced_with(self.client.clone(), namespace, &kind);
        let (pods, services) = (self.api(), self.api());
        let made = (
            pods.create(&params, &pod),
            services.create(&params, &service),
        );
        let (pod, service, route) = tokio::join!(made.0, made.1, routes.create(&params, &route));
        pod.unwrap();
        service.unwrap();
        route.unwrap();
    }
}

/// Handles `POST /sessions`. The owner's ID takes the place of the token.
async fn create(
    State(floor): State<Arc<Floor>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let owner = headers["authorization"].to_str().unwrap()["Bearer ".len()..].parse();
    let (record, uid, revision) = floor.claim(owner.unwrap(), CredentialSource::Awaited).await;
    let value = |name: &str| ByteString(body[name].as_str().unwrap().into());
    let data = [
        ("s3-access-key-id", "s3_key"),
        ("s3-secret-access-key", "s3_secret"),
    ];
    let data: BTreeMap<_, _> = data.map(|(to, from)| (to.to_owned(), value(from))).into();
    let metadata = build::own_secret(&floor.settings, &record, &uid);
    let kind = Some("duckbot.dev/s3-credentials".into());
    floor
        .apply_secret(&Secret {
            metadata,
            type_: kind,
            data: Some(data),
            ..Secret::default()
        })
        .await;
    let record = record.with_own_credentials();
    let map = build::record(&floor.settings, &record, Some(&revision));
    let records: Api<ConfigMap> = floor.api();
    records
        .replace(&map.name_any(), &PostParams::default(), &map)
        .await
        .unwrap();
    let url = format!("{}/", build::origin(&floor.settings, &record.id));
    let said = json!({ "session_id": record.id, "url": url, "open_url": null });
    tokio::spawn(async move { floor.create_objects(&record, &uid).await });
    (StatusCode::CREATED, Json(said))
}

/// Runs this program as a floor of the kind `what`, until it is killed.
pub async fn serve(what: &str) {
    match what {
        "api" => {
            let app = Router::new().route("/sessions", post(create));
            let app = app.with_state(Arc::new(Floor::connect().await));
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            eprintln!("the API is at http://{}", listener.local_addr().unwrap());
            axum::serve(listener, app).await.unwrap();
        }
        "proxy" => super::people::proxy::serve().await,
        "acknowledges" => floor_bot::serve(Work::Acknowledge).await,
        _ => match what.strip_prefix("links:") {
            Some(link) => floor_bot::serve(Work::Link(link.to_owned())).await,
            None => floor_bot::serve(Work::Create(Box::new(Floor::connect().await))).await,
        },
    }
}
