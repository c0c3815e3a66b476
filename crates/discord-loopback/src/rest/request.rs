//! A request of the bot and its response, as the handlers see them. Pure.

use serde_json::Value;

use crate::api_error::ApiError;
use crate::snowflake::Snowflake;

/// Request of the bot.
pub(super) struct ApiRequest {
    /// Values of the route's placeholders.
    pub params: Vec<(&'static str, String)>,
    pub query: String,
    pub authorization: String,
    /// Body as JSON; null if there is none.
    pub body: Value,
}

/// Response to the bot.
pub(super) struct ApiResponse {
    pub status: u16,
    pub body: Option<Value>,
    /// False if the response comes from an interceptor.
    pub is_from_discord: bool,
}

pub(super) type ApiResult = Result<ApiResponse, ApiError>;

impl ApiRequest {
    pub(super) fn text(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(key, _)| *key == name);
        found.map_or("", |(_, value)| value)
    }

    /// Parses an ID in the path. Invalid text becomes 0, which is no object's ID.
    pub(super) fn id(&self, name: &str) -> Snowflake {
        self.text(name).parse().unwrap_or(0)
    }
}

impl ApiResponse {
    pub(super) fn ok(body: Value) -> Self {
        Self {
            status: 200,
            body: Some(body),
            is_from_discord: true,
        }
    }

    pub(super) fn no_content() -> Self {
        Self {
            status: 204,
            body: None,
            is_from_discord: true,
        }
    }
}

impl From<ApiError> for ApiResponse {
    fn from(error: ApiError) -> Self {
        Self {
            status: error.status,
            body: Some(error.body),
            is_from_discord: true,
        }
    }
}
