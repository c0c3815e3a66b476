//! Results as files: DuckDB writes them, and the door sends them.

use std::sync::Arc;

use futures_util::TryStreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    Response,
    body::Frame,
    header::{self, HeaderName, HeaderValue},
};
use serde::Deserialize;
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio_util::{io::ReaderStream, sync::CancellationToken};

use super::{
    answer::{Reply, protect},
    exchange::{FileFormat, ReadyFile, open_regular},
    problem::{Problem, ProblemKind},
    running::connection,
    sql_text::without_end,
    state::Console,
};
use crate::{
    door::{
        body::{Body, BodyError},
        policy::CONSOLE_PATH,
    },
    duckdb::names::literal,
};

/// Size of the pieces in which a file is sent.
const PIECE_BYTES: usize = 256 << 10;

#[derive(Deserialize)]
pub(super) struct DownloadInput {
    result: String,
    format: FileFormat,
    /// Statement of a result that is not complete.
    sql: Option<String>,
    tab: Option<String>,
}

impl FileFormat {
    fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Json => "json",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Json => "application/json",
        }
    }

    /// Options of `COPY`.
    fn options(self) -> &'static str {
        match self {
            Self::Csv => "FORMAT csv, HEADER",
            Self::Parquet => "FORMAT parquet",
            Self::Json => "FORMAT json, ARRAY",
        }
    }
}

impl Console {
    /// Writes a result into a file. If not all of its rows were kept, its statement runs again. Goes on without the
    /// browser, because DuckDB does too.
    pub(super) async fn download(self: &Arc<Self>, input: DownloadInput) -> Result<Reply, Problem> {
        let console = self.clone();
        let task = tokio::spawn(async move { console.write_file(input).await });
        task.await.map_err(|_| Problem::unavailable())?
    }

    async fn write_file(&self, input: DownloadInput) -> Result<Reply, Problem> {
        let DownloadInput {
            result,
            format,
            sql,
            tab,
        } = input;
        let exchange = self.exchange.as_ref().ok_or_else(Problem::no_files)?;
        let result = self.results.find(&result).ok_or_else(Problem::gone)?;
        let file = exchange.new_file(format.extension()).await;
        let path = literal(&file.path.to_string_lossy());
        let copy = |from: &str| format!("COPY {from} TO {path} ({})", format.options());
        match (result.is_complete, sql.zip(tab)) {
            (false, None) => return Err(Problem::only_queries_download()),
            (false, Some((sql, tab))) => {
                let connection = connection(&tab)?;
                let running = self.running.begin(&tab);
                let running = running.ok_or_else(Problem::tab_is_busy)?;
                let _room = self.wait_for_room(&running.cancelled).await?;
                let copy = copy(&format!("({}\n)", without_end(&sql)));
                let copied = self.client.execute_on(&connection, &copy);
                let copied = self.run_to_end(&connection, &running.cancelled, copied);
                copied.await.map_err(|problem| match problem.kind {
                    ProblemKind::Sql if problem.exception == "Parser" => {
                        Problem::only_queries_download()
                    }
                    _ => Problem {
                        position: None,
                        ..problem
                    },
                })?;
            }
            (true, _) => {
                let _room = self.wait_for_room(&CancellationToken::new()).await?;
                let copied = self.client.execute(&copy(&result.sql_name())).await;
                copied.map_err(|problem| self.explain(&result, problem))?;
            }
        }
        let name = exchange.offer(ReadyFile { file, format });
        Ok(Reply::of(&json!({
            "url": format!("{CONSOLE_PATH}/files/{name}"),
            "name": format!("result.{}", format.extension()),
        })))
    }

    /// Sends a file that was written, and deletes it.
    pub(super) async fn send_file(&self, name: &str) -> Result<Response<Body>, Problem> {
        let ready = self.exchange.as_ref().and_then(|it| it.take(name));
        let ReadyFile { file, format } = ready.ok_or_else(Problem::no_file)?;
        let opened = spawn_blocking(move || {
            let opened = open_regular(&file.path);
            // The open file stays readable.
            drop(file);
            let opened = opened?;
            let length = opened.metadata()?.len();
            Ok::<_, std::io::Error>((opened, length))
        });
        let opened = opened.await.map_err(|_| Problem::no_file())?;
        let (opened, length) = opened.map_err(|error| Problem::file_error(&error))?;
        let pieces = ReaderStream::with_capacity(tokio::fs::File::from_std(opened), PIECE_BYTES);
        let frames = pieces
            .map_ok(Frame::data)
            .map_err(|error| BodyError(error.into()));
        let mut answer = Response::new(StreamBody::new(frames).boxed_unsync());
        let headers = answer.headers_mut();
        let attachment = format!("attachment; filename=\"result.{}\"", format.extension());
        let kind = HeaderValue::from_static(format.content_type());
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        for (name, value) in [
            (header::CONTENT_DISPOSITION, attachment.as_str()),
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; sandbox",
            ),
        ] as [(HeaderName, &str); 2]
        {
            let value = HeaderValue::try_from(value).expect("the value is ASCII");
            headers.insert(name, value);
        }
        protect(headers);
        Ok(answer)
    }
}
