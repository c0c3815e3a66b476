//! The HTTP client for Discord's API.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use parking_lot::RwLock;
use secrecy::ExposeSecret;
use serenity::http::{Http, HttpBuilder};
use tracing::{info, warn};

use crate::{outbound::Outbound, settings};

/// Maximum duration of one request to Discord.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Client whose token can be replaced. Ask for [`Client::http`] at each use.
pub struct Client {
    http: RwLock<Arc<Http>>,
    settings: settings::Discord,
    outbound: Outbound,
}

impl Client {
    /// Creates a client with the token in the settings.
    ///
    /// # Errors
    /// If TLS can't be set up.
    pub(super) fn new(settings: &settings::Discord, outbound: &Outbound) -> anyhow::Result<Self> {
        Ok(Self {
            http: RwLock::new(Arc::new(http(settings, outbound)?)),
            settings: settings.clone(),
            outbound: outbound.clone(),
        })
    }

    /// Returns the client with the present token.
    pub(super) fn http(&self) -> Arc<Http> {
        self.http.read().clone()
    }

    /// Reads the token's file again. Returns true if it has another token, which is used from then on.
    ///
    /// # Errors
    /// If TLS can't be set up.
    pub(super) fn take_new_token(&self) -> anyhow::Result<bool> {
        let token = match self.settings.reread_token() {
            None => return Ok(false),
            Some(Ok(token)) => token,
            Some(Err(why)) => {
                warn!("the bot keeps its token, because its file can't be used: {why}");
                return Ok(false);
            }
        };
        let present = self.http();
        // serenity adds the kind of the token, "Bot". A new client costs too much time for each attempt.
        if present.token().ends_with(token.expose_secret()) {
            return Ok(false);
        }
        let settings = settings::Discord {
            token,
            ..self.settings.clone()
        };
        let renewed = http(&settings, &self.outbound)?;
        // A bot keeps its application when it gets another token.
        if let Some(application) = present.application_id() {
            renewed.set_application_id(application);
        }
        *self.http.write() = Arc::new(renewed);
        info!("the bot's token was replaced, so the new one is used");
        Ok(true)
    }
}

/// Creates a client with the bot's token.
///
/// # Errors
/// If TLS can't be set up.
pub(super) fn http(settings: &settings::Discord, outbound: &Outbound) -> anyhow::Result<Http> {
    let client = outbound.client().timeout(REQUEST_TIMEOUT).build();
    let client = client.context("can't create the HTTPS client")?;
    let mut builder = HttpBuilder::new(settings.token.expose_secret()).client(client);
    if let Some(proxy) = &settings.api_proxy {
        // serenity ignores the proxy while its own rate limiter is on. Without a proxy, that limiter
        // waits out 429 responses (`Retry-After`) and repeats the request.
        builder = builder.proxy(proxy).ratelimiter_disabled(true);
    }
    Ok(builder.build())
}
