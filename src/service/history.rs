//! The use cases of past queries.

use chrono::{DateTime, Utc};
use tracing::warn;

use super::{QueryRejection, Requester, Service, ServiceError, audit::audit};
use crate::{
    error::Error,
    history::{PastOutcome, PastQuery, QueryId},
    session::OwnerId,
};

/// A query that has ended.
pub struct AskedQuery {
    pub sql: String,
    /// Catalog that it ran in. `None` if it did not run.
    pub catalog: Option<String>,
    /// Time at which it was asked.
    pub since: DateTime<Utc>,
    pub outcome: PastOutcome,
}

impl Service {
    /// Returns true if past queries are stored.
    pub fn keeps_history(&self) -> bool {
        self.settings.sql.as_ref().is_some_and(|sql| sql.history)
    }

    /// Adds a query to its owner's history, if histories are kept. A failure is only logged, because
    /// the query itself was answered.
    pub async fn remember_query(&self, who: OwnerId, query: AskedQuery) {
        let AskedQuery {
            sql,
            catalog,
            since,
            outcome,
        } = query;
        // A query that its owner deleted while it was running must not come back.
        let deleted = self.queries.histories_deleted.lock().get(&who).copied();
        if !self.keeps_history() || deleted.is_some_and(|at| since <= at) {
            return;
        }
        let query = PastQuery {
            sql,
            catalog: catalog.filter(|name| self.check_catalog(Some(name)).is_ok()),
            at: self.now(),
            outcome,
        };
        match self.history.add(who, &query).await {
            // The history is deleted when its owner leaves the server.
            Ok(true) => self.remember_owner(who).await,
            Ok(false) => {}
            Err(error) => warn!(%error, "a query was not added to the history of {who}"),
        }
    }

    /// Returns a person's past queries, newest first.
    ///
    /// # Errors
    /// If they can't be read, or queries from the chat are off.
    pub async fn past_queries(&self, who: OwnerId) -> Result<Vec<PastQuery>, ServiceError> {
        if self.settings.sql.is_none() {
            return Err(QueryRejection::Disabled.into());
        }
        Ok(self.history.read(who).await?)
    }

    /// Returns true if a person has past queries, even if queries are off now.
    ///
    /// # Errors
    /// If they can't be read.
    pub async fn has_past_queries(&self, who: OwnerId) -> Result<bool, ServiceError> {
        Ok(!self.history.read(who).await?.is_empty())
    }

    /// Returns the text of a person's past query, if it is still stored.
    ///
    /// # Errors
    /// If the history can't be read.
    pub async fn past_query(
        &self,
        who: OwnerId,
        id: &QueryId,
    ) -> Result<Option<String>, ServiceError> {
        let queries = self.history.read(who).await?;
        let query = queries.into_iter().find(|query| query.id() == *id);
        Ok(query.map(|query| query.sql))
    }

    /// Deletes a person's past queries.
    ///
    /// # Errors
    /// If they can't be deleted.
    pub async fn delete_history(&self, who: &Requester) -> Result<(), ServiceError> {
        self.clear_history(who.id).await?;
        audit(who, "deleted", "their past queries");
        Ok(())
    }

    /// Deletes a history. Queries that are running now will not be added to it.
    pub(super) async fn clear_history(&self, who: OwnerId) -> Result<(), Error> {
        let now = self.now();
        self.queries.histories_deleted.lock().insert(who, now);
        self.history.delete(who).await
    }
}
