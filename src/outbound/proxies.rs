//! Proxies from the usual environment variables. Pure.

use std::{collections::HashMap, fmt};

use axum::http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use reqwest::{NoProxy, Proxy, Url};
use secrecy::{ExposeSecret, SecretString};

/// Variables for HTTPS and for HTTP. libcurl reads the latter in lower case only.
const HTTPS: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const HTTP: [&str; 2] = ["http_proxy", "HTTP_PROXY"];
const EXCEPT: [&str; 2] = ["NO_PROXY", "no_proxy"];
/// Variables with proxies, which a session's DuckDB reads itself. `HTTP_PROXY` is missing: DuckDB would
/// use it for HTTPS, too.
pub const SESSION_PROXY_VARIABLES: [&str; 3] = [HTTPS[0], HTTP[0], EXCEPT[0]];
/// Hosts that are never reached by a proxy: this machine.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// Proxies of connections to other servers. They may have a password, which `Debug` hides.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    https: Option<ProxyUrl>,
    http: Option<ProxyUrl>,
    /// Hosts that are reached directly, separated by commas.
    except: String,
}

#[derive(Debug, Clone)]
struct ProxyUrl {
    url: SecretString,
    /// Host and port.
    address: String,
    has_login: bool,
}

/// A variable whose value is not a proxy. The value is not shown, because it may have a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidProxy(pub &'static str);

impl fmt::Display for InvalidProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be the URL of a proxy, like http://proxy.example.com:3128")
    }
}

impl Proxies {
    /// Reads the proxies from environment variables. Of two spellings, the first one that is set
    /// counts.
    ///
    /// # Errors
    /// Returns the name of a variable that is not the URL of a proxy.
    pub fn read(variables: &HashMap<String, String>) -> Result<Self, InvalidProxy> {
        let find = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| {
                let value = variables.get(name)?.trim();
                (!value.is_empty()).then_some((name, value))
            })
        };
        let proxy = |names| {
            let read = |(name, value)| ProxyUrl::read(value).ok_or(InvalidProxy(name));
            find(names).map(read).transpose()
        };
        let except = find(EXCEPT).map(|(_, value)| format!("{value},"));
        Ok(Self {
            https: proxy(HTTPS)?,
            http: proxy(HTTP)?,
            except: except.unwrap_or_default() + LOOPBACK,
        })
    }

    /// Returns the proxies for an HTTP client.
    pub(super) fn all(&self) -> Vec<Proxy> {
        let except = || NoProxy::from_string(&self.except);
        let https = self
            .https
            .as_ref()
            .map(|it| Proxy::https(it.url.expose_secret()));
        let http = self
            .http
            .as_ref()
            .map(|it| Proxy::http(it.url.expose_secret()));
        let all = https.into_iter().chain(http);
        // `ProxyUrl::read` has accepted the URL.
        all.filter_map(|proxy| Some(proxy.ok()?.no_proxy(except())))
            .collect()
    }

    /// Returns the proxy for a URL, if there is one.
    pub(super) fn find(&self, url: &Uri) -> Option<Intercept> {
        let text = |proxy: &Option<ProxyUrl>| {
            let url = proxy.as_ref().map(|it| it.url.expose_secret().to_owned());
            url.unwrap_or_default()
        };
        let proxies = Matcher::builder()
            .https(text(&self.https))
            .http(text(&self.http));
        proxies.no(self.except.clone()).build().intercept(url)
    }

    /// Names the variables that sessions don't get, because everybody could read the password in
    /// them.
    pub fn with_login(&self) -> Vec<&'static str> {
        let all = [(HTTPS[0], &self.https), (HTTP[0], &self.http)];
        let has_login = |proxy: &Option<ProxyUrl>| proxy.as_ref().is_some_and(|it| it.has_login);
        all.into_iter()
            .filter(|(_, proxy)| has_login(proxy))
            .map(|(name, _)| name)
            .collect()
    }

    /// Returns the variables for a session's environment.
    pub fn session_variables(&self) -> Vec<(&'static str, String)> {
        let value = |proxy: &Option<ProxyUrl>| {
            let proxy = proxy.as_ref().filter(|it| !it.has_login)?;
            Some(proxy.url.expose_secret().to_owned())
        };
        let proxies = [(HTTPS[0], value(&self.https)), (HTTP[0], value(&self.http))];
        let mut all: Vec<_> = proxies
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        if !all.is_empty() {
            all.push((EXCEPT[0], self.except.clone()));
        }
        all
    }

    /// Returns host and port of the proxy for HTTPS, if sessions get it.
    pub fn address_for_https(&self) -> Option<String> {
        let proxy = self.https.as_ref().filter(|it| !it.has_login)?;
        Some(proxy.address.clone())
    }
}

impl ProxyUrl {
    fn read(text: &str) -> Option<Self> {
        // curl and Go accept a proxy without a scheme, too.
        let text = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let url = Url::parse(&text)
            .ok()
            .filter(|url| url.scheme() == "http")?;
        let address = format!("{}:{}", url.host_str()?, url.port_or_known_default()?);
        Some(Self {
            has_login: !url.username().is_empty() || url.password().is_some(),
            url: SecretString::from(text),
            address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Proxies, InvalidProxy> {
        let own = variables.iter();
        Proxies::read(
            &own.map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
        )
    }

    #[test]
    fn sessions_get_the_variables_that_duckdb_reads() {
        let proxies = read(&[
            ("HTTPS_PROXY", "http://proxy.test:3128"),
            ("HTTP_PROXY", "proxy.test:3129"),
            ("NO_PROXY", ".corp.test"),
        ]);
        let proxies = proxies.expect("valid proxies");
        let except = ".corp.test,localhost,127.0.0.0/8,::1".to_owned();
        assert_eq!(
            proxies.session_variables(),
            [
                ("HTTPS_PROXY", "http://proxy.test:3128".to_owned()),
                ("http_proxy", "http://proxy.test:3129".to_owned()),
                ("NO_PROXY", except),
            ]
        );
        assert_eq!(
            proxies.address_for_https().as_deref(),
            Some("proxy.test:3128")
        );
        let none = read(&[("NO_PROXY", "*"), ("HTTPS_PROXY", "")]);
        assert!(none.expect("no proxy").session_variables().is_empty());
    }

    #[test]
    fn ipv6_addresses_are_proxies_and_exceptions_as_names_are() {
        let proxies = read(&[
            ("HTTPS_PROXY", "http://[fd00::9]:3128"),
            ("NO_PROXY", "fd00:1::/32,fd00:2::5"),
        ]);
        let proxies = proxies.expect("a valid proxy");
        let address = proxies.address_for_https();
        assert_eq!(address.as_deref(), Some("[fd00::9]:3128"));
        for (host, is_proxied) in [
            ("[fd00:2::6]", true),
            ("[fd00:2::5]", false),
            ("[fd00:1::5]:9000", false),
            ("[::1]", false),
        ] {
            let url = format!("https://{host}/").parse().expect("a URL");
            assert_eq!(proxies.find(&url).is_some(), is_proxied, "{host}");
        }
    }

    #[test]
    fn a_password_is_neither_shown_nor_given_to_sessions() {
        let proxies = read(&[("https_proxy", "http://duck:quack-quack@proxy.test:3128")]);
        let proxies = proxies.expect("a valid proxy");
        assert_eq!(proxies.all().len(), 1);
        assert_eq!(proxies.with_login(), ["HTTPS_PROXY"]);
        assert!(proxies.session_variables().is_empty());
        assert_eq!(proxies.address_for_https(), None);
        assert!(!format!("{proxies:?}").contains("quack-quack"));
    }

    #[test]
    fn other_values_are_named_by_their_variable_only() {
        for wrong in ["socks5://proxy.test:1080", "http://", "quack quack"] {
            let error = read(&[("HTTPS_PROXY", wrong)]).expect_err("not a proxy");
            assert_eq!(error, InvalidProxy("HTTPS_PROXY"));
            assert!(!error.to_string().contains("quack"), "{error}");
        }
    }
}
