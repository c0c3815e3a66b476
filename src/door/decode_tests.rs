use proptest::prelude::*;

use super::*;

/// Writes an answer as DuckDB does, in chunks of 2,048 rows.
fn encode(names: &[String], rows: &[Vec<Option<String>>]) -> Vec<u8> {
    let mut to = vec![100, 0, 1, 101, 0, 100, 0];
    let text = |to: &mut Vec<u8>, text: &[u8]| {
        length(to, text.len());
        to.extend_from_slice(text);
    };
    length(&mut to, names.len());
    for name in names {
        text(&mut to, name.as_bytes());
    }
    to.extend([101, 0]);
    length(&mut to, names.len());
    for _ in names {
        to.extend([100, 0, 25, 0xff, 0xff]);
    }
    to.extend([0xff, 0xff, 102, 0]);
    length(&mut to, rows.chunks(2048).count());
    for chunk in rows.chunks(2048) {
        to.extend([100, 0]);
        length(&mut to, chunk.len());
        to.extend([101, 0]);
        length(&mut to, names.len());
        for column in 0..names.len() {
            let has_null = chunk.iter().any(|row| row[column].is_none());
            to.extend([100, 0, u8::from(has_null)]);
            if has_null {
                let mut mask = vec![0xff; chunk.len().div_ceil(64) * 8];
                for (at, row) in chunk.iter().enumerate() {
                    if row[column].is_none() {
                        mask[at / 8] &= !(1 << (at % 8));
                    }
                }
                to.extend([101, 0]);
                text(&mut to, &mask);
            }
            to.extend([102, 0]);
            length(&mut to, chunk.len());
            for row in chunk {
                text(
                    &mut to,
                    row[column].as_ref().map_or(&[0x80], |it| it.as_bytes()),
                );
            }
            to.extend([0xff, 0xff]);
        }
        to.extend([0xff, 0xff]);
    }
    to.extend([0xff, 0xff]);
    to
}

fn length(to: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

/// Answer of DuckDB 1.5.5 to `SELECT COLUMNS(*)::VARCHAR` of a row with 1, "xä" and NULL, and one with 2,
/// an empty text and "y".
const TWO_ROWS: &[u8] = b"d\x00\x01e\x00d\x00\x03\x01a\x01b\x01ce\x00\x03d\x00\x19\xff\xffd\x00\x19\xff\xffd\
    \x00\x19\xff\xff\xff\xfff\x00\x02d\x00\x01e\x00\x03d\x00\x00f\x00\x01\x011\xff\xffd\x00\x00f\x00\x01\x03x\
    \xc3\xa4\xff\xffd\x00\x01e\x00\x08\xfe\xff\xff\xff\xff\xff\xff\xfff\x00\x01\x01\x80\xff\xff\xff\xffd\x00\
    \x01e\x00\x03d\x00\x00f\x00\x01\x012\xff\xffd\x00\x00f\x00\x01\x00\xff\xffd\x00\x00f\x00\x01\x01y\xff\xff\
    \xff\xff\xff\xff";

#[test]
fn an_answer_of_duckdb_is_read() {
    let Ok(Answer::Table(table)) = decode(TWO_ROWS) else {
        panic!("a table");
    };
    assert_eq!(table.names, ["a", "b", "c"]);
    let rows = [0, 1].map(|row| [0, 1, 2].map(|column| table.value(row, column)));
    let expected = [
        [Some("1"), Some("xä"), None],
        [Some("2"), Some(""), Some("y")],
    ];
    assert_eq!(rows, expected);
    assert_eq!(
        (table.rows(), table.value(2, 0), table.value(0, 3)),
        (2, None, None)
    );
}

#[test]
fn an_error_of_duckdb_is_read() {
    let bytes = b"d\x00\x00e\x00\x0dNo statements\xff\xff";
    assert_eq!(decode(bytes), Ok(Answer::Failure("No statements")));
    assert_eq!(decode_failure(bytes), Ok(Some("No statements")));
    assert_eq!(decode_failure(TWO_ROWS), Ok(None));
}

#[test]
fn tokens_of_duckdb_are_read() {
    let bytes = b"d\x00\x02\x00\x07e\x00\x02\x04\x02\xff\xff";
    assert_eq!(decode_tokens(bytes), Ok(vec![(0, 4), (7, 2)]));
    assert_eq!(decode_tokens(b"d\x00\x00e\x00\x00\xff\xff"), Ok(vec![]));
    let wrong = decode_tokens(b"d\x00\x01\x00e\x00\x00\xff\xff").expect_err("no kind");
    assert_eq!(wrong.what, "a token has no kind");
}

#[test]
fn bytes_that_are_no_answer_are_refused_in_words() {
    for (bytes, what) in [
        (&b""[..], "the answer ends too early"),
        (b"<html>", "another field was expected"),
        (b"d\x00\x02", "a truth value was expected"),
        (b"d\x00\x00e\x00\x01\xff\xff\xff", "a text is not UTF-8"),
        (
            b"d\x00\x01e\x00d\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            "the answer ends too early",
        ),
        (
            b"d\x00\x01e\x00d\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
            "a number is too large",
        ),
        (
            b"d\x00\x01e\x00d\x00\x01\x01ae\x00\x01d\x00\x0d\xff\xff",
            "a column is not a VARCHAR",
        ),
        (
            b"d\x00\x00e\x00\x01a\xff\xff\x00",
            "the answer goes on after its end",
        ),
    ] {
        assert_eq!(decode(bytes).expect_err("no answer").what, what);
    }
    for end in 0..TWO_ROWS.len() {
        assert!(decode(&TWO_ROWS[..end]).is_err(), "{end}");
    }
}

proptest! {
    #[test]
    fn every_table_is_read_as_it_was_written(
        names in prop::collection::vec("\\PC{0,6}", 1..5),
        rows in 0_usize..5000,
        seed in prop::collection::vec(prop::option::of("\\PC{0,5}"), 1..40),
    ) {
        let value = |row: usize, column: usize| seed[(row * 7 + column * 3) % seed.len()].clone();
        let rows: Vec<Vec<_>> =
            (0..rows).map(|row| (0..names.len()).map(|column| value(row, column)).collect()).collect();
        let bytes = encode(&names, &rows);
        let Ok(Answer::Table(table)) = decode(&bytes) else {
            return Err(TestCaseError::fail("no table"));
        };
        prop_assert_eq!(&table.names, &names);
        prop_assert_eq!(table.rows(), rows.len());
        for (at, row) in rows.iter().enumerate() {
            for (column, value) in row.iter().enumerate() {
                prop_assert_eq!(table.value(at, column), value.as_deref());
            }
        }
    }

    #[test]
    fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = (decode(&bytes), decode_failure(&bytes), decode_tokens(&bytes));
    }

    #[test]
    fn no_changed_answer_is_too_odd(at in 0..TWO_ROWS.len(), byte in any::<u8>()) {
        let mut bytes = TWO_ROWS.to_vec();
        bytes[at] = byte;
        let _ = decode(&bytes);
    }
}
