//! Checks the objects on the cluster that the settings name, for `duckbot check`.

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::{
    ByteString,
    api::{
        core::v1::{ConfigMap, Secret},
        networking::v1::IngressClass,
    },
};
use kube::{Api, ResourceExt, api::ListParams};
use rustls::pki_types::{CertificateDer, pem::PemObject};

use super::{
    gateway,
    request::{ApiAction, ApiServer},
};
use crate::{
    diagnostics::Diagnostic,
    error::Error,
    outbound::Certificate,
    settings::{RouteKind, Settings},
};

/// Warn this long before the certificate expires.
const EXPIRY_WARNING: TimeDelta = TimeDelta::days(14);
/// Types of Secrets with a login to a registry, with the entry that each has.
const PULL_SECRETS: [(&str, &str); 2] = [
    ("kubernetes.io/dockerconfigjson", ".dockerconfigjson"),
    ("kubernetes.io/dockercfg", ".dockercfg"),
];
/// Annotation of the cluster's default IngressClass.
const DEFAULT_CLASS: &str = "ingressclass.kubernetes.io/is-default-class";

/// Checks all of them. Changes nothing, and shows nothing of a Secret but the names in a certificate.
pub(super) async fn diagnose(server: &ApiServer, settings: &Settings) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let kind = settings.routing.kind;
    let tls_secret = settings.routing.tls_secret.as_ref();
    // A Gateway has its own certificate.
    if let Some(name) = tls_secret.filter(|_| kind != RouteKind::Gateway) {
        let read = |secret: &Secret| certificate(secret, &settings.routing.domain, Utc::now());
        found.push(
            secret(
                server,
                settings,
                "certificate",
                name,
                "routing.tls_secret",
                read,
            )
            .await,
        );
    }
    for catalog in &settings.catalogs {
        if let Some(oauth2) = &catalog.oauth2 {
            let what = format!("login of {}", catalog.name);
            let setting = format!("catalogs.{}.oauth2_secret", catalog.name);
            let read = |secret: &Secret| entries(secret, &["client-id", "client-secret"]);
            found.push(secret(server, settings, &what, &oauth2.secret, &setting, read).await);
        }
    }
    for name in &settings.pod.image_pull_secrets {
        let setting = "pod.image_pull_secrets";
        found.push(secret(server, settings, "pull secret", name, setting, pull_secret).await);
    }
    if let Some(name) = &settings.pod.init_sql {
        found.push(init_sql(server, settings, name).await);
    }
    match kind {
        RouteKind::Ingress => {
            found.push(ingress_class(server, settings.routing.ingress_class.as_deref()).await);
        }
        RouteKind::Gateway => found.push(gateway::diagnose(server, settings).await),
        RouteKind::Traefik => {}
    }
    found
}

/// Result of checking an object. An error says what is wrong and how to fix it.
type Verdict = Result<Diagnosis, String>;

/// Description of an object that can be used.
enum Diagnosis {
    Fine(String),
    Soon(String),
}

/// Reads a Secret in the sessions namespace, and checks it with `read`.
async fn secret(
    server: &ApiServer,
    settings: &Settings,
    what: &str,
    name: &str,
    setting: &str,
    read: impl Fn(&Secret) -> Verdict,
) -> Diagnostic {
    let namespace = &settings.kubernetes.namespace;
    let secrets: Api<Secret> = Api::namespaced(server.client(), namespace);
    let action = ApiAction::new("get", "secrets", namespace).sensitive();
    match server.call(action, secrets.get_opt(name)).await {
        Ok(Some(found)) => match read(&found) {
            Ok(Diagnosis::Fine(says)) => Diagnostic::ok(what, format!("Secret {name}{says}")),
            Ok(Diagnosis::Soon(says)) => Diagnostic::warning(what, format!("Secret {name}{says}")),
            Err(says) => Diagnostic::failed(what, format!("Secret {name} ({setting}) {says}")),
        },
        Ok(None) => Diagnostic::failed(
            what,
            format!("Secret {name} ({setting}) not found in {namespace}; create it"),
        ),
        Err(error) => Diagnostic::failed(what, error.to_string()),
    }
}

/// Checks the wildcard certificate of sessions.
fn certificate(secret: &Secret, domain: &str, now: DateTime<Utc>) -> Verdict {
    let chain = entry(secret, "tls.crt").filter(|_| entry(secret, "tls.key").is_some());
    let Some(ByteString(chain)) = chain else {
        return Err("has no tls.crt and tls.key; create it with kubectl create secret tls".into());
    };
    let first = CertificateDer::pem_slice_iter(chain).next();
    let read = first.and_then(|der| Certificate::read(&der.ok()?));
    let Some(certificate) = read else {
        return Err("has no certificate in PEM format in tls.crt; create it again".into());
    };
    let wildcard = format!("*.{domain}");
    if !certificate.covers(&format!("duckui-000000.{domain}")) {
        let names = certificate.dns_names.join(", ");
        return Err(format!(
            "is for {names}, not for {wildcard}; get a certificate for {wildcard}"
        ));
    }
    let (begin, end) = (certificate.not_before, certificate.not_after);
    if end < now {
        Err(format!("expired on {}; replace the certificate", date(end)))
    } else if begin > now {
        let begin = date(begin);
        Err(format!(
            "is valid from {begin} on; check the clock, or replace the certificate"
        ))
    } else if end - now < EXPIRY_WARNING {
        let issuer = &certificate.issuer;
        Ok(Diagnosis::Soon(format!(
            " expires on {}; renew the certificate, or check the issuer that should ({issuer})",
            date(end)
        )))
    } else {
        Ok(Diagnosis::Fine(format!(
            " is for {wildcard}, until {}",
            date(end)
        )))
    }
}

fn date(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d").to_string()
}

/// Checks that a Secret has these entries, and that they are not empty.
fn entries(secret: &Secret, names: &[&str]) -> Verdict {
    let is_missing = |name: &&&str| entry(secret, name).is_none();
    let missing: Vec<_> = names.iter().filter(is_missing).copied().collect();
    if missing.is_empty() {
        Ok(Diagnosis::Fine(format!(" has {}", names.join(" and "))))
    } else {
        Err(format!("has no {}; add it", missing.join(" and no ")))
    }
}

fn pull_secret(secret: &Secret) -> Verdict {
    let kind = secret.type_.as_deref().unwrap_or("Opaque");
    match PULL_SECRETS.into_iter().find(|(known, _)| *known == kind) {
        Some((_, name)) => entries(secret, &[name]),
        None => Err(format!(
            "is of type {kind}, which nodes ignore; create it with kubectl create secret \
             docker-registry"
        )),
    }
}

/// Returns an entry that is not empty.
fn entry<'a>(secret: &'a Secret, name: &str) -> Option<&'a ByteString> {
    let value = secret.data.as_ref()?.get(name)?;
    (!value.0.is_empty()).then_some(value)
}

async fn init_sql(server: &ApiServer, settings: &Settings, name: &str) -> Diagnostic {
    let what = "init.sql";
    let namespace = &settings.kubernetes.namespace;
    let maps: Api<ConfigMap> = Api::namespaced(server.client(), namespace);
    let action = ApiAction::new("get", "configmaps", namespace);
    let has_it = |map: &ConfigMap| {
        map.data
            .as_ref()
            .is_some_and(|it| it.contains_key("init.sql"))
    };
    match server.call(action, maps.get_opt(name)).await {
        Ok(Some(map)) if has_it(&map) => Diagnostic::ok(what, format!("ConfigMap {name}")),
        Ok(Some(_)) => Diagnostic::failed(
            what,
            format!("ConfigMap {name} (pod.init_sql) has no entry init.sql; add it"),
        ),
        Ok(None) => Diagnostic::failed(
            what,
            format!("ConfigMap {name} (pod.init_sql) not found in {namespace}; create it"),
        ),
        Err(error) => Diagnostic::failed(what, error.to_string()),
    }
}

async fn ingress_class(server: &ApiServer, name: Option<&str>) -> Diagnostic {
    let what = "ingress class";
    let classes: Api<IngressClass> = Api::all(server.client());
    let action = ApiAction::new("list", "ingressclasses", "(all)");
    let listed = server
        .call(action, classes.list(&ListParams::default()))
        .await;
    match listed {
        Ok(listed) => listed_class(&listed.items, name),
        // The bot itself does not need this permission, which would be for the whole cluster.
        Err(Error::NotAllowed { .. }) => {
            let says = "not checked: this account may not list IngressClasses; use --session";
            Diagnostic::ok(what, says)
        }
        Err(error) => Diagnostic::failed(what, error.to_string()),
    }
}

/// Finds the IngressClass of this name, or the default one, among those of the cluster.
fn listed_class(listed: &[IngressClass], name: Option<&str>) -> Diagnostic {
    let what = "ingress class";
    let is_default = |class: &IngressClass| {
        class.annotations().get(DEFAULT_CLASS).map(String::as_str) == Some("true")
    };
    let found = listed.iter().find(|class| match name {
        Some(name) => class.name_any() == name,
        None => is_default(class),
    });
    let names: Vec<_> = listed.iter().map(ResourceExt::name_any).collect();
    let names = if names.is_empty() {
        "none; install an ingress controller".to_owned()
    } else {
        names.join(", ")
    };
    match (found, name) {
        (Some(class), _) => Diagnostic::ok(what, class.name_any()),
        (None, Some(name)) => Diagnostic::failed(
            what,
            format!("{name} (routing.ingress_class) not found; the cluster has: {names}"),
        ),
        (None, None) => Diagnostic::failed(
            what,
            format!("the cluster has no default; set routing.ingress_class. It has: {names}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn secret_of(kind: &str, data: &[(&str, &str)]) -> Secret {
        let data = data.iter();
        let data = data.map(|(name, value)| ((*name).into(), ByteString((*value).into())));
        Secret {
            type_: Some(kind.into()),
            data: Some(data.collect::<BTreeMap<_, _>>()),
            ..Secret::default()
        }
    }

    #[test]
    fn the_ingress_class_is_the_named_one_or_the_default() {
        let class = |name: &str, is_default: &str| {
            let annotations = [(DEFAULT_CLASS.to_owned(), is_default.to_owned())];
            let mut class = IngressClass::default();
            class.metadata.name = Some(name.to_owned());
            class.metadata.annotations = Some(annotations.into());
            class
        };
        let all = [class("haproxy", "false"), class("nginx", "true")];
        let say = |listed: &[IngressClass], name| listed_class(listed, name).to_string();
        assert_eq!(say(&all, Some("haproxy")), "ok    ingress class: haproxy");
        assert_eq!(say(&all, None), "ok    ingress class: nginx");
        let missing = "WRONG ingress class: traefik (routing.ingress_class) not found; the cluster has: haproxy, nginx";
        assert_eq!(say(&all, Some("traefik")), missing);
        let none = "WRONG ingress class: the cluster has no default; set routing.ingress_class. It has: haproxy";
        assert_eq!(say(&all[..1], None), none);
        let empty = say(&[], None);
        assert!(
            empty.ends_with("It has: none; install an ingress controller"),
            "{empty}"
        );
    }

    #[test]
    fn a_secret_without_its_entries_says_what_to_add() {
        let login = secret_of("Opaque", &[("client-id", "a"), ("client-secret", "")]);
        let says = entries(&login, &["client-id", "client-secret"]).err();
        assert_eq!(says.as_deref(), Some("has no client-secret; add it"));
        let says = pull_secret(&login).err().unwrap_or_default();
        assert!(
            says.starts_with("is of type Opaque, which nodes ignore"),
            "{says}"
        );
        let pull = secret_of(PULL_SECRETS[0].0, &[(PULL_SECRETS[0].1, "{}")]);
        assert!(pull_secret(&pull).is_ok());
        let says = certificate(&login, "duck.test", Utc::now()).err();
        assert!(
            says.unwrap_or_default()
                .starts_with("has no tls.crt and tls.key")
        );
    }
}
