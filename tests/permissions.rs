//! The permissions of the bot's service account are exactly those that the bot uses.

use std::collections::BTreeSet;

use duckbot::runtime::kubernetes::REQUIRED;
use futures_util::{StreamExt, stream};
use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    core::v1::Secret,
};
use kube::{Api, Client, api::PostParams};
use test_support::Namespaces;

const VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// Resources that a compromised bot might try to access.
const RESOURCES: [(&str, &str); 21] = [
    ("", "configmaps"),
    ("", "events"),
    ("", "namespaces"),
    ("", "nodes"),
    ("", "persistentvolumeclaims"),
    ("", "pods"),
    ("", "pods/exec"),
    ("", "pods/log"),
    ("", "secrets"),
    ("", "serviceaccounts"),
    ("", "serviceaccounts/token"),
    ("", "services"),
    ("apps", "deployments"),
    ("coordination.k8s.io", "leases"),
    ("events.k8s.io", "events"),
    ("gateway.networking.k8s.io", "gateways"),
    ("gateway.networking.k8s.io", "httproutes"),
    ("metrics.k8s.io", "pods"),
    ("networking.k8s.io", "ingresses"),
    ("rbac.authorization.k8s.io", "roles"),
    ("traefik.io", "ingressroutes"),
];

async fn may(bot: &Client, namespace: &str, group: &str, resource: &str, verb: &str) -> bool {
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, sub)) => (resource, Some(sub.to_owned())),
        None => (resource, None),
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(namespace.to_owned()),
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource,
                verb: Some(verb.to_owned()),
                ..ResourceAttributes::default()
            }),
            non_resource_attributes: None,
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(bot.clone());
    let answer = reviews
        .create(&PostParams::default(), &review)
        .await
        .unwrap();
    answer.status.unwrap().allowed
}

/// Names a permission as kubectl does, such as `create pods` or `create events.events.k8s.io`.
fn permission(verb: &str, group: &str, resource: &str) -> String {
    let dot = if group.is_empty() { "" } else { "." };
    format!("{verb} {resource}{dot}{group}")
}

/// Permissions of the bot in a namespace, such as `create pods`.
async fn allowed(bot: &Client, namespace: &str) -> BTreeSet<String> {
    let every = RESOURCES
        .iter()
        .flat_map(|it| VERBS.map(|verb| (*it, verb)));
    let asked = every.map(|((group, resource), verb)| async move {
        let allowed = may(bot, namespace, group, resource, verb).await;
        allowed.then(|| permission(verb, group, resource))
    });
    stream::iter(asked)
        .buffer_unordered(16)
        .filter_map(|it| async { it })
        .collect()
        .await
}

#[tokio::test]
async fn in_the_sessions_namespace_it_may_do_what_it_does_and_nowhere_anything() {
    let cluster = Namespaces::install().await;
    let bot = cluster.bot_client().await;
    let does = REQUIRED.iter().flat_map(|rule| {
        rule.verbs
            .iter()
            .map(|verb| permission(verb, rule.group, rule.resource))
    });
    assert_eq!(allowed(&bot, &cluster.sessions).await, does.collect());
    // At home, all permissions are for objects with a name.
    for elsewhere in [cluster.bot.as_str(), "default", "kube-system"] {
        assert_eq!(
            allowed(&bot, elsewhere).await,
            BTreeSet::new(),
            "the bot has permissions in {elsewhere}"
        );
    }
}

#[tokio::test]
async fn it_can_neither_list_secrets_nor_read_or_create_others_at_home() {
    let cluster = Namespaces::install().await;
    let bot = cluster.bot_client().await;
    let code = |error: kube::Error| match error {
        kube::Error::Api(status) => status.code,
        other => panic!("{other}"),
    };
    let ours: Api<Secret> = Api::namespaced(bot.clone(), &cluster.sessions);
    assert_eq!(code(ours.list(&Default::default()).await.unwrap_err()), 403);
    let its_own: Api<Secret> = Api::namespaced(bot, &cluster.bot);
    assert_eq!(code(its_own.get("duckbot-discord").await.unwrap_err()), 403);
    let keys = its_own.get("duckbot-door-keys").await.unwrap();
    let mut other = Secret::default();
    other.metadata.name = Some("another".into());
    let params = PostParams::default();
    let created = its_own.create(&params, &other).await;
    assert_eq!(code(created.unwrap_err()), 403);
    its_own
        .replace("duckbot-door-keys", &params, &keys)
        .await
        .unwrap();
}
