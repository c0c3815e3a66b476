//! Answers of DuckDB's UI server, which runs a person's statements beside the door.

use duckbot::door::decode::{Answer, decode, decode_failure, decode_tokens};

/// Bytes of an answer.
///
/// Checks that the text which is read is not larger than the bytes that were sent, and that all columns of a table have the same length.
pub fn answers(data: &[u8]) {
    let answer = decode(data);
    if let Ok(Answer::Table(table)) = &answer {
        assert_eq!(table.names.len(), table.columns.len());
        assert!(table.columns.iter().all(|it| it.len() == table.rows()));
        let texts = table.columns.iter().flatten().flatten().chain(&table.names);
        assert!(texts.map(|it| it.len()).sum::<usize>() <= data.len());
        let values = table.rows() * table.columns.len() + table.names.len();
        assert!(values <= data.len());
    }
    let failure = decode_failure(data);
    match answer {
        Ok(Answer::Failure(text)) => assert_eq!(failure, Ok(Some(text))),
        Ok(Answer::Table(_)) => assert_eq!(failure, Ok(None)),
        Err(why) => assert!(why.at <= data.len()),
    }
    if let Ok(tokens) = decode_tokens(data) {
        assert!(tokens.len() <= data.len());
    }
}
