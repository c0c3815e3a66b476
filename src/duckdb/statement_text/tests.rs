use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

/// Texts of pieces that begin and end quotes and comments.
fn texts() -> impl Strategy<Value = String> {
    let pieces = vec![
        "'", "\"", "$$", "$a$", "$", "--", "/*", "*/", "\n", "\r", "\\", "e'", "E", ";", ".", "x",
        "ü", "1", " ", "EXPLAIN", "CALL", "(", ")", "analyze",
    ];
    let piece = prop_oneof![select(pieces).prop_map(str::to_owned), any::<String>()];
    vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

/// Returns true if DuckDB's command line takes a text for complete (`SQLIsComplete` in its shell.cpp).
fn is_complete(text: &str) -> bool {
    let (bytes, mut at, mut is_ended) = (text.as_bytes(), 0, false);
    let find = |what: &str, from: usize| Some(from + text.get(from..)?.find(what)? + what.len());
    while let Some(byte) = bytes.get(at) {
        let next = match byte {
            b';' => {
                is_ended = true;
                Some(at + 1)
            }
            b' ' | b'\r' | b'\t' | b'\n' | 0x0C => Some(at + 1),
            b'/' if text[at..].starts_with("/*") => find("*/", at + 2),
            b'-' if text[at..].starts_with("--") => match find("\n", at) {
                None => return is_ended,
                end => end,
            },
            b'\'' => find("'", at + 1),
            b'"' => find("\"", at + 1),
            b'$' if dollar_mark(&bytes[at..]).is_some() => {
                let mark = &text[at..][..dollar_mark(&bytes[at..]).unwrap_or_default()];
                find(mark, at + mark.len())
            }
            _ => {
                is_ended = false;
                Some(at + text[at..].chars().next().map_or(1, char::len_utf8))
            }
        };
        let Some(next) = next else {
            return false;
        };
        at = next;
    }
    is_ended
}

/// Length of a mark such as `$a$` at the start of a text, as the command line reads it.
fn dollar_mark(text: &[u8]) -> Option<usize> {
    let is_name = |at: usize, byte: u8| {
        byte.is_ascii_alphabetic()
            || byte == b'_'
            || byte >= 0x80
            || at > 1 && byte.is_ascii_digit()
    };
    let mut rest = text.iter().enumerate().skip(1);
    let (end, byte) = rest.find(|(at, byte)| !is_name(*at, **byte))?;
    (*byte == b'$').then_some(end + 1)
}

/// Returns true if a quoted text or a comment has its end.
fn is_closed((kind, piece): (Kind, &str)) -> bool {
    match kind {
        Kind::Plain => true,
        Kind::Comment => piece.starts_with("--") || piece.len() > 3 && piece.ends_with("*/"),
        Kind::Quoted => {
            let quote = piece.trim_start_matches(['e', 'E']).chars().next();
            piece.matches(quote.unwrap_or_default()).count() % 2 == 0
        }
    }
}

proptest! {
    #[test]
    fn the_command_line_ends_a_text_where_it_should(sql in texts()) {
        if is_read_alike(&sql) && Scanner::new(&sql).all(is_closed) {
            let whole = format!("{sql}\n;");
            prop_assert!(is_complete(&whole));
        }
        if let Some(text) = in_one_piece(&sql) {
            for (at, _) in text.match_indices('\n') {
                let line = text[..at].rsplit('\n').next().unwrap();
                prop_assert!(!line.contains(';') || !is_complete(&text[..at]), "{text:?} {at}");
            }
        }
    }

    #[test]
    fn nothing_is_lost_or_changed_but_line_breaks(sql in texts()) {
        let pieces: String = Scanner::new(&sql).map(|(_, piece)| piece).collect();
        prop_assert_eq!(&pieces, &sql);
        if let Some(text) = in_one_piece(&sql) {
            prop_assert_eq!(text.replace('\r', "\n"), sql.replace('\r', "\n"));
        }
        if let Some(rewritten) = rewrite(&sql) {
            let rest = rewritten.select.trim_start_matches("FROM");
            prop_assert!(sql.ends_with(rest));
            let is_plain = |c: char| c.is_ascii_alphabetic() || " ,_()".contains(c);
            prop_assert!(rewritten.prefix.chars().all(is_plain));
        }
    }
}

#[test]
fn explain_and_call_are_read_as_a_select() {
    let parts = |sql: &str| {
        let rewritten = rewrite(sql)?;
        Some((rewritten.prefix, rewritten.select))
    };
    let is = |prefix: &str, select: &str| Some((prefix.to_owned(), select.to_owned()));
    assert_eq!(parts("EXPLAIN SELECT 1"), is("EXPLAIN ", " SELECT 1"));
    assert_eq!(
        parts("/* a /* b */ */ -- c\n explain Analyze\nFROM t"),
        is("EXPLAIN Analyze", "\nFROM t")
    );
    assert_eq!(
        parts("EXPLAIN (ANALYZE, FORMAT json) SELECT 1"),
        is("EXPLAIN (ANALYZE, FORMAT json)", " SELECT 1")
    );
    assert_eq!(parts("EXPLAIN (FROM t)"), is("EXPLAIN ", " (FROM t)"));
    assert_eq!(parts(";CALL range(3)"), is("", "FROM range(3)"));
    assert_eq!(parts("explained"), None);
    assert_eq!(parts("'EXPLAIN' SELECT 1"), None);
    let call = rewrite("CALL range(x)").unwrap();
    assert_eq!(call.select.find('x').unwrap() + call.offset, 11);
    assert!(begins_transaction("/**/ Begin TRANSACTION") && !begins_transaction("beginning"));
}

#[test]
fn line_breaks_outside_of_quotes_become_carriage_returns() {
    for (sql, text) in [
        (
            "INSERT INTO t -- '\nSELECT 1",
            Some("INSERT INTO t -- '\rSELECT 1"),
        ),
        ("a /* /* \n */ ' */\n b", Some("a /* /* \r */ ' */\r b")),
        ("x$$\n$$ 'a'", Some("x$$\r$$ 'a'")),
        ("$1\n$2", Some("$1\r$2")),
        ("'it''s'\n", Some("'it''s'\r")),
        ("e'a\\''\n", Some("e'a\\''\r")),
        ("type'a\\'\n", Some("type'a\\'\r")),
        ("a\n'a\nb'", Some("a\r'a\nb'")),
        ("e'\\'\n';", Some("e'\\'\n';")),
        ("$ä$ \n $ä$", Some("$ä$ \n $ä$")),
        ("('$$', $$\n$$)", Some("('$$', $$\n$$)")),
        ("\"a;\nb\" 'c;\n'", Some("\"a;\nb\" 'c;\n'")),
        // The command line could end the statement there.
        ("e'\\';\n'", None),
        ("e'a''\\'\n'", Some("e'a''\\'\n'")),
        ("e'a'\n'b\\'\n'", None),
        ("$$;\n$$", None),
        ("a -- '\n ';\n'", None),
        ("; -- a\n ';\n'", None),
        // It would drop the first line.
        ("-- a\n 'b\n'", None),
    ] {
        assert_eq!(in_one_piece(sql).as_deref(), text, "{sql}");
    }
}

#[test]
fn a_text_is_not_taken_for_a_comment_as_a_whole() {
    for (text, given) in [
        (" -- a\rb", "; -- a\rb"),
        ("/**/--\rb", ";/**/--\rb"),
        ("a -- b", "a -- b"),
        ("/* a */ b", "/* a */ b"),
    ] {
        assert_eq!(for_command_line(text), given);
    }
}

#[test]
fn a_text_that_the_command_line_reads_in_another_way_is_known() {
    for sql in [
        "a 'it''s; \n' \"b\"",
        "/* ' $ */ '--' -- $ it's \\'",
        "'\\n'",
    ] {
        assert!(is_read_alike(sql), "{sql}");
    }
    for sql in ["$$a$$", "$1", "e'\\''", "/* /* */ */", "-- a\r'\n'"] {
        assert!(!is_read_alike(sql), "{sql}");
    }
}

#[test]
fn a_pragma_has_a_name() {
    for (sql, name) in [
        ("PRAGMA version", Some("version")),
        ("/**/ pragma -- a\n Table_Info('t')", Some("table_info")),
        ("PRAGMA x=1", Some("x")),
        ("PRAGMA versionü", Some("versionü")),
        ("PRAGMA \"version\"", None),
        ("PRAGMA", None),
        ("SELECT version", None),
    ] {
        assert_eq!(pragma_name(sql).as_deref(), name, "{sql}");
    }
}

#[test]
fn a_text_without_semicolons_needs_no_count() {
    assert_eq!(count_statements("DROP TABLE t"), None);
    let count = count_statements("ä; DROP TABLE t").unwrap();
    assert!(count.contains("unnest([1])"), "{count}");
}
