//! Snapshots of the replies about the text of a query.

use super::{tests::gallery, *};
use crate::discord::query_file::UnreadableFile;

#[test]
fn texts_that_do_not_arrive() {
    let file = |why| unreadable_file("my `query`.sql", why);
    insta::assert_snapshot!(gallery(&[
        ("line breaks", line_breaks_lost()),
        ("both", query_and_file()),
        ("too large", file(UnreadableFile::TooLarge(70_000))),
        ("not text", file(UnreadableFile::NotText)),
        ("unavailable", file(UnreadableFile::Unavailable)),
    ]));
}
