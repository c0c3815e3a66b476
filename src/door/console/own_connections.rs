//! Connections of the console's own statements, which are interrupted when they take too long.

use std::{pin::pin, sync::Arc, time::Duration};

use hyper::{Request, Response, header::HeaderValue};
use parking_lot::Mutex;
use tokio::{sync::oneshot, time::timeout};

use super::problem::Problem;
use crate::door::{
    body::Body,
    flow::{CONNECTION, Flow},
    requests::interrupt_until_ended,
};

/// Connections in DuckDB by their names. DuckDB keeps each for ever, so they are used again.
pub(super) struct OwnConnections {
    flow: Arc<Flow>,
    names: Arc<Mutex<Names>>,
}

#[derive(Default)]
struct Names {
    made: usize,
    idle: Vec<HeaderValue>,
}

impl Names {
    fn take(&mut self) -> HeaderValue {
        self.idle.pop().unwrap_or_else(|| {
            self.made += 1;
            let name = format!("duckbot.own.{}", self.made);
            HeaderValue::try_from(name).expect("the name is ASCII")
        })
    }
}

impl OwnConnections {
    pub(super) fn new(flow: Arc<Flow>) -> Self {
        Self {
            flow,
            names: Arc::default(),
        }
    }

    /// Sends a request on a connection that runs nothing else, and returns its answer. After `time`, the
    /// statements are interrupted until they end, also without a caller. Then `held` is dropped.
    ///
    /// # Errors
    /// If DuckDB does not answer, or not in time.
    pub(super) async fn ask(
        &self,
        mut request: Request<Body>,
        time: Duration,
        held: impl Send + 'static,
    ) -> Result<Response<Body>, Problem> {
        let (flow, names) = (self.flow.clone(), self.names.clone());
        let (tell, told) = oneshot::channel();
        tokio::spawn(async move {
            let name = names.lock().take();
            request.headers_mut().insert(CONNECTION, name.clone());
            {
                let mut answer = pin!(flow.forward(request));
                match timeout(time, &mut answer).await {
                    // Without a caller, nobody needs the answer.
                    Ok(answer) => drop(tell.send(answer.map_err(Problem::from))),
                    Err(_) => {
                        drop(tell.send(Err(Problem::too_slow(time))));
                        let _ = interrupt_until_ended(&flow, &name, answer).await;
                    }
                }
            }
            names.lock().idle.push(name);
            drop(held);
        });
        told.await.unwrap_or_else(|_| Err(Problem::unavailable()))
    }
}
