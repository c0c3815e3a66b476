//! Questions about a result that DuckDB has just kept as the table `_`.

use super::{
    names::identifier,
    query::{Examination, Findings},
    shell::{Answer, Exited, Shell},
};

/// Beginnings of the names of DuckDB's numeric types.
const NUMBERS: [&str; 14] = [
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
    "FLOAT",
    "DOUBLE",
    "DECIMAL",
    "BIGNUM",
];
/// Digest of all rows. Each row is text with the names of its columns. The order of the rows does not matter,
/// because DuckDB returns them in any order unless a query sorts them.
const FINGERPRINT: &str = "SELECT to_json([coalesce(md5(string_agg(row, '' ORDER BY row)), '')]) \
     FROM (SELECT md5(to_json(result)::VARCHAR) AS row FROM _ AS result);";

/// Answers a question about the last result.
pub(super) async fn examine(shell: &mut Shell, question: &Examination) -> Result<Findings, Exited> {
    let (sign, limit) = match question {
        Examination::Fingerprint => {
            let found = value(shell, FINGERPRINT).await?;
            return Ok(found.map_or_else(Findings::Failed, Findings::Fingerprint));
        }
        Examination::Above(limit) => ('>', limit),
        Examination::Below(limit) => ('<', limit),
    };
    let first = "SELECT to_json([column_name, column_type]) FROM (DESCRIBE FROM _) LIMIT 1;";
    let first = match shell.query(first).await? {
        Answer::Done(lines) => serde_json::from_str::<[String; 2]>(&lines.concat()),
        Answer::Failed(error) => return Ok(Findings::Failed(error)),
    };
    let Ok([name, kind]) = first else {
        return Ok(Findings::Failed("the result has no column".to_owned()));
    };
    if !NUMBERS.iter().any(|number| kind.starts_with(number)) {
        return Ok(Findings::NotANumber(kind));
    }
    let compare = format!(
        "SELECT to_json([coalesce((SELECT {} {sign} {limit} FROM _ LIMIT 1), false)::VARCHAR]);",
        identifier(&name)
    );
    let found = value(shell, &compare).await?;
    Ok(found.map_or_else(Findings::Failed, |value| {
        Findings::IsBeyond(value == "true")
    }))
}

/// Returns the only value of a statement, or DuckDB's error.
async fn value(shell: &mut Shell, statement: &str) -> Result<Result<String, String>, Exited> {
    Ok(match shell.query(statement).await? {
        Answer::Done(lines) => {
            let value = super::answer::only_value(&lines.concat());
            value.ok_or_else(|| "the answer has no value".to_owned())
        }
        Answer::Failed(error) => Err(error),
    })
}
