//! Resident memory of the bot: idle, and with 1,000 live sessions.

use test_support::Kwok;

use super::{
    crowd::{idle_memory, kwok_env, serve_doors, start_sessions},
    setup::resident,
    table::{Aim, Row},
};

const SESSIONS: usize = 1000;

fn row(what: &'static str, aim: &'static str, figure: f64, limits: Aim) -> Row {
    Row {
        what,
        aim,
        floor: String::new(),
        ours: format!("{figure:.1} MB"),
        p95: String::new(),
        figure,
        is_ratio: false,
        limits,
    }
}

pub async fn rows() -> Vec<Row> {
    let _kwok = Kwok::start().await;
    let _doors = serve_doors();
    let mut env = kwok_env(0).await;
    env.start_bot().await;
    let idle = idle_memory(env.bot()).await;
    let own = resident(env.bot(), true);
    start_sessions(&mut env, 0, SESSIONS).await;
    let grown = idle_memory(env.bot()).await;
    env.kill_bot().await;
    env.start_bot().await;
    let found = idle_memory(env.bot()).await;
    env.mark_all_read().await;
    let all = row(
        "resident memory, idle",
        "under 25 MB",
        idle,
        Aim::Under(&[25.0]),
    );
    vec![
        Row {
            ours: format!("{idle:.1} MB, without file-backed pages {own:.1} MB"),
            ..all
        },
        row(
            "per 1,000 live sessions, after starting them",
            "under 10 MB",
            grown - idle,
            Aim::Under(&[10.0]),
        ),
        row(
            "per 1,000 live sessions, after a restart",
            "under 10 MB",
            found - idle,
            Aim::Under(&[10.0]),
        ),
    ]
}
