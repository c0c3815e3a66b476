//! Routes of the API: method, template and handler. Pure.

use super::request::{ApiRequest, ApiResult};
use super::{commands, identity, interactions, messages, webhooks};
use crate::state::State;

/// Operation of the API.
pub(super) struct Route {
    pub method: &'static str,
    pub template: &'static str,
    /// True if the bot token is required. Interaction routes have their own token in the path.
    pub needs_token: bool,
    pub run: fn(&mut State, &ApiRequest) -> ApiResult,
}

type Handler = fn(&mut State, &ApiRequest) -> ApiResult;

const fn bot(method: &'static str, template: &'static str, run: Handler) -> Route {
    Route {
        method,
        template,
        needs_token: true,
        run,
    }
}

const fn open(method: &'static str, template: &'static str, run: Handler) -> Route {
    Route {
        method,
        template,
        needs_token: false,
        run,
    }
}

/// Routes in order of precedence: the first match counts, so literal paths come before templates.
const ROUTES: &[Route] = &[
    open("GET", "/gateway", identity::gateway),
    bot("GET", "/gateway/bot", identity::gateway_bot),
    bot("GET", "/users/@me", identity::own_user),
    bot("POST", "/users/@me/channels", messages::open_dm),
    bot("GET", "/applications/@me", identity::application),
    // Older path, which serenity still uses.
    bot("GET", "/oauth2/applications/@me", identity::application),
    bot(
        "GET",
        "/applications/{application}/guilds/{guild}/commands",
        commands::list,
    ),
    bot(
        "POST",
        "/applications/{application}/guilds/{guild}/commands",
        commands::create,
    ),
    bot(
        "PUT",
        "/applications/{application}/guilds/{guild}/commands",
        commands::overwrite,
    ),
    bot("GET", "/guilds/{guild}", identity::guild),
    bot("GET", "/guilds/{guild}/members/{user}", identity::member),
    bot("GET", "/channels/{channel}", identity::channel),
    bot("POST", "/channels/{channel}/messages", messages::create),
    bot(
        "GET",
        "/channels/{channel}/messages/{message}",
        messages::get,
    ),
    bot(
        "PATCH",
        "/channels/{channel}/messages/{message}",
        messages::edit,
    ),
    bot(
        "DELETE",
        "/channels/{channel}/messages/{message}",
        messages::delete,
    ),
    open(
        "POST",
        "/interactions/{interaction}/{token}/callback",
        interactions::callback,
    ),
    open(
        "POST",
        "/webhooks/{application}/{token}",
        webhooks::follow_up,
    ),
    open(
        "GET",
        "/webhooks/{application}/{token}/messages/@original",
        webhooks::get,
    ),
    open(
        "PATCH",
        "/webhooks/{application}/{token}/messages/@original",
        webhooks::edit,
    ),
    open(
        "DELETE",
        "/webhooks/{application}/{token}/messages/@original",
        webhooks::delete,
    ),
    open(
        "GET",
        "/webhooks/{application}/{token}/messages/{message}",
        webhooks::get,
    ),
    open(
        "PATCH",
        "/webhooks/{application}/{token}/messages/{message}",
        webhooks::edit,
    ),
    open(
        "DELETE",
        "/webhooks/{application}/{token}/messages/{message}",
        webhooks::delete,
    ),
];

/// Finds the route of a request, with the values of its placeholders.
pub(super) fn find(
    method: &str,
    path: &str,
) -> Option<(&'static Route, Vec<(&'static str, String)>)> {
    let mut same_method = ROUTES.iter().filter(|route| route.method == method);
    same_method.find_map(|route| Some((route, captures(route.template, path)?)))
}

fn captures(template: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let (wanted, actual) = (template.split('/'), path.split('/'));
    if wanted.clone().count() != actual.clone().count() {
        return None;
    }
    let mut found = Vec::new();
    for (wanted, actual) in wanted.zip(actual) {
        match wanted
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
        {
            Some(name) => found.push((name, actual.to_owned())),
            None if wanted == actual => {}
            None => return None,
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_original_is_found_before_a_message_of_that_name() {
        let (route, params) = find("PATCH", "/webhooks/1/t/messages/@original").unwrap();
        assert!(route.template.ends_with("@original"));
        assert_eq!(
            params,
            [("application", "1".to_owned()), ("token", "t".to_owned())]
        );
    }

    #[test]
    fn an_unknown_route_is_not_found() {
        assert!(find("GET", "/voice/regions").is_none());
        assert!(find("PUT", "/gateway").is_none());
    }
}
