//! The HTTP client for Discord's API.

use std::time::Duration;

use secrecy::ExposeSecret;
use serenity::http::{Http, HttpBuilder};

use crate::{outbound::Outbound, settings};

/// Maximum duration of one request to Discord.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Creates a client with the bot's token.
///
/// # Errors
/// If TLS can't be set up.
pub(super) fn http(settings: &settings::Discord, outbound: &Outbound) -> anyhow::Result<Http> {
    let client = outbound.client().timeout(REQUEST_TIMEOUT).build()?;
    let mut builder = HttpBuilder::new(settings.token.expose_secret()).client(client);
    if let Some(proxy) = &settings.api_proxy {
        // serenity ignores the proxy while its own rate limiter is on. Without a proxy, that limiter
        // waits out 429 responses (`Retry-After`) and repeats the request.
        builder = builder.proxy(proxy).ratelimiter_disabled(true);
    }
    Ok(builder.build())
}
