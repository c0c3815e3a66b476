//! The buttons that cancel a query, run it again, edit it, and open its session.

use serenity::all::{ActionRowComponent, ButtonKind, Message};

use crate::{
    discord::{
        buttons::{Button, PastQueryRef},
        call::{Answer, Answered, Call},
        forms::SqlOptions,
        replies::{self, Extras, Menu, Reply},
    },
    history::QueryId,
};

/// Adds the buttons that run and edit the query again, open its session, and give its result as
/// `extras`. Without the text in the reply or in its owner's history, adds only Open.
pub(super) fn offer_again(
    call: &Call<'_>,
    reply: Reply,
    sql: &str,
    how: &SqlOptions,
    open: Option<Button>,
    extras: Extras<'_>,
) -> Reply {
    let is_shown = replies::quoted_query(&reply.text) == Some(sql);
    let is_known = |name: &String| call.bot.service.check_catalog(Some(name)).is_ok();
    let query = (is_shown || call.bot.service.keeps_history()).then(|| PastQueryRef {
        owner: call.who.id,
        stored: (!is_shown).then(|| QueryId::of(sql)),
        session: how.session.as_ref().and_then(|id| id.trim().parse().ok()),
        // Another text may not fit into a custom ID, and its query did not run.
        catalog: how.catalog.clone().filter(is_known),
    });
    replies::with_query_buttons(reply, query, open, extras)
}

/// Adds the buttons of [`offer_again`] that a message has and its new version lacks.
pub(super) fn keep_buttons(reply: Reply, shown: &Message) -> Reply {
    let (mut query, mut open, mut downloads) = (None, None, Vec::new());
    let (mut chart, mut schedule) = (false, false);
    for button in buttons_of(shown) {
        match button {
            Button::RunAgain(found) => query = Some(found),
            Button::Open(_) => open = Some(button),
            Button::Chart(_) => chart = true,
            Button::Schedule(_) => schedule = true,
            Button::Download(_, format) => downloads.push(format),
            _ => {}
        }
    }
    let extras = Extras {
        chart,
        downloads: &downloads,
        schedule,
    };
    let reply = Reply {
        menu: reply.menu.or_else(|| menu_of(shown)),
        ..reply
    };
    replies::with_query_buttons(reply, query, open, extras)
}

/// Returns the menu of a message with a chart.
fn menu_of(shown: &Message) -> Option<Menu> {
    let rows = shown.components.iter().flat_map(|row| &row.components);
    let options = rows.filter_map(|component| match component {
        ActionRowComponent::SelectMenu(menu) => Some(&menu.options),
        _ => None,
    });
    let charts = options.flatten().filter_map(|option| {
        let Button::DrawAs(choice) = Button::from_custom_id(&option.value)? else {
            return None;
        };
        Some((choice, option.label.clone()))
    });
    replies::chart_menu(charts)
}

/// Returns the query that the buttons of a message run again.
pub(super) fn query_of(shown: &Message) -> Option<PastQueryRef> {
    buttons_of(shown).find_map(|button| match button {
        Button::RunAgain(query) => Some(query),
        _ => None,
    })
}

fn buttons_of(shown: &Message) -> impl Iterator<Item = Button> {
    let rows = shown.components.iter().flat_map(|row| &row.components);
    rows.filter_map(|component| match component {
        ActionRowComponent::Button(button) => match &button.data {
            ButtonKind::NonLink { custom_id, .. } => Button::from_custom_id(custom_id),
            _ => None,
        },
        _ => None,
    })
}

/// Interrupts one of the person's queries, which they asked in the place of `how`. `shown` is the reply
/// with the button, and `text` the ID of the query's text.
pub(crate) fn cancel(
    call: &Call<'_>,
    query: &str,
    text: Option<&QueryId>,
    how: &SqlOptions,
    shown: &Message,
) -> Answered {
    // The handler that waits for the result edits its reply.
    if call.bot.service.cancel_query(&call.who, query) {
        return Ok(Answer::Shown);
    }
    // The bot was restarted, or the result comes at this moment.
    let Some(sql) = replies::quoted_query(&shown.content) else {
        return Ok(replies::query_over().into());
    };
    let reply = replies::with_query(sql, replies::query_over());
    let is_whole = text.is_some_and(|id| *id == QueryId::of(sql));
    Ok(if is_whole {
        offer_again(call, reply, sql, how, None, Extras::default()).into()
    } else {
        reply.into()
    })
}
