//! A relay on this machine to Discord's gateway: through a proxy, or with the CAs in the settings.
//! serenity's WebSocket knows neither.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::Context;
use axum::http::Uri;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use crate::outbound::Outbound;

/// Maximum time to connect to the gateway.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum size of the request that opens a WebSocket.
const MAX_HEAD_BYTES: usize = 8 * 1024;
/// Pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Running relay. Stops on drop.
pub(super) struct Relay {
    /// URL that serenity connects to.
    pub(super) url: String,
    _task: AbortOnDropHandle<()>,
}

impl Relay {
    /// Starts a relay to the gateway at `url`. Returns `None` if serenity can connect by itself.
    ///
    /// # Errors
    /// If the URL is not valid, or this machine has no free port.
    pub(super) async fn start(url: &str, outbound: &Outbound) -> anyhow::Result<Option<Self>> {
        let Some(rest) = url.strip_prefix("wss://") else {
            return Ok(None);
        };
        let server: Uri = format!("https://{rest}")
            .parse()
            .context("the address of Discord's gateway is not valid")?;
        if !outbound.is_special(&server) {
            return Ok(None);
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("ws://{}{}", listener.local_addr()?, server.path());
        let outbound = outbound.clone();
        let task = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else {
                    // For example, too many files are open.
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                let (server, outbound) = (server.clone(), outbound.clone());
                tokio::spawn(async move {
                    if let Err(error) = relay(client, server, &outbound).await {
                        warn!("Discord's gateway can't be reached: {error:#}");
                    }
                });
            }
        });
        Ok(Some(Self {
            url,
            _task: AbortOnDropHandle::new(task),
        }))
    }
}

/// Connects a client to the gateway until either side ends the connection.
async fn relay(mut client: TcpStream, server: Uri, outbound: &Outbound) -> anyhow::Result<()> {
    let host = server.authority().map(ToString::to_string);
    let head = read_head(&mut client).await?;
    let connected = timeout(CONNECT_TIMEOUT, outbound.connect(server)).await;
    let mut gateway = connected.context("no answer in time")??;
    let head = with_host(&head, &host.unwrap_or_default());
    gateway.write_all(head.as_bytes()).await?;
    // serenity notices the end of the connection, and connects again.
    let _ = copy_bidirectional(&mut client, &mut gateway).await;
    Ok(())
}

async fn read_head(client: &mut TcpStream) -> anyhow::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        anyhow::ensure!(head.len() < MAX_HEAD_BYTES, "the request is too large");
        head.push(client.read_u8().await?);
    }
    Ok(String::from_utf8(head)?)
}

/// Replaces the relay's own address in a request by the gateway's host.
fn with_host(head: &str, host: &str) -> String {
    let lines = head.split("\r\n").map(|line| match line.split_once(':') {
        Some((name, _)) if name.eq_ignore_ascii_case("host") => format!("Host: {host}"),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\r\n")
}
