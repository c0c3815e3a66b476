//! Replies about DuckDB clients: how they connect, and the end of their keys.

use super::{
    format::session_name,
    reply::{Emphasis, Reply},
};
use crate::{
    discord::buttons::Button,
    service::{ClientAccess, NotConnected},
    session::Record,
};

/// Place of the key in a reply. The key itself is only put in when the reply is sent.
pub(crate) const KEY: &str = "{key}";

/// Reply to `/duck connect`, with [`KEY`] in place of the key.
pub(crate) fn connection(access: &ClientAccess) -> Reply {
    let ClientAccess {
        record,
        url,
        version,
        ..
    } = access;
    let statements = statements(url);
    let version = version.strip_prefix('v').unwrap_or(version);
    let text = format!(
        "Your DuckDB can use session {} until it ends. Anyone with the key below can use it too. Keep it to \
         yourself.\n\
         **DuckDB's command line** (version {version}):\n\
         ```sql\n{statements}\nFROM duck.query('SHOW ALL TABLES');\n```\n\
         **Python** (`pip install duckdb=={version}`):\n\
         ```python\nimport duckdb\nduckdb.execute(\"\"\"\n{statements}\n\"\"\")\n\
         print(duckdb.sql(\"FROM duck.query('SHOW ALL TABLES')\"))\n```\n\
         `duck.query('…')` runs a query in the session, also on the catalog's tables. The session's own tables \
         are in `duck`: `INSERT INTO duck.notes …`.",
        session_name(record)
    );
    let revoke = Button::Revoke(record.id.clone());
    Reply::new(text).with(Emphasis::Danger, "Revoke", revoke)
}

/// Returns the statements that connect DuckDB to the session at `url`.
fn statements(url: &str) -> String {
    let (is_tls, host) = match url.split_once("://") {
        Some(("http", rest)) => (false, rest),
        Some((_, rest)) => (true, rest),
        None => (true, url),
    };
    let host = host.trim_end_matches('/');
    let port = match (host.contains(':'), is_tls) {
        (true, _) => "",
        (false, true) => ":443",
        (false, false) => ":80",
    };
    let options = if is_tls { "" } else { " (DISABLE_SSL true)" };
    let address = format!("quack:{host}{port}");
    format!(
        "INSTALL quack; LOAD quack;\n\
         CREATE OR REPLACE SECRET duckbot (TYPE quack, SCOPE '{address}', TOKEN 'duckbot',\n  \
         EXTRA_HTTP_HEADERS MAP {{'Authorization': 'Bearer {KEY}'}});\n\
         ATTACH '{address}' AS duck{options};"
    )
}

/// Reply to `/duck connect` if clients can't connect.
pub(crate) fn not_connected(why: &NotConnected) -> Reply {
    match why {
        NotConnected::Disabled => Reply::new(
            "Connecting DuckDB clients to sessions is turned off here. `/duck open` opens your session in \
             the browser.",
        ),
        NotConnected::TooManyKeys { id, most } => {
            let text = format!(
                "Session `{id}` has {most} keys for clients already. Use one of them again: the same \
                 statements work in several clients. Or revoke them all."
            );
            Reply::new(text).with(Emphasis::Danger, "Revoke", Button::Revoke(id.clone()))
        }
        NotConnected::Busy => {
            Reply::new("Your session is busy with other queries. Try again when they have ended.")
        }
        NotConnected::NotPrepared => Reply::new(
            "This session is not prepared for DuckDB clients. Start a new one. If that does not help, tell \
             an admin that its image may lack the extension `quack`.",
        ),
    }
}

/// Reply to the button Revoke.
pub(crate) fn revoked(record: &Record, keys: usize) -> Reply {
    let name = session_name(record);
    Reply::new(match keys {
        0 => format!("Session {name} has no keys for clients."),
        _ => format!(
            "The keys for clients of session {name} are revoked, and its clients are disconnected. `/duck \
             connect` makes a new key."
        ),
    })
}
