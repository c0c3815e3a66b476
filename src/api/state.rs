//! State of the request handlers.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{service::Service, settings};

/// The parts that requests need.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) service: Arc<Service>,
    pub(super) settings: Arc<settings::Api>,
    pub(super) shutdown: CancellationToken,
}
