//! Reads the text of one input of the form: a bare value, or the lines of a file, the output of a
//! program or a part of a web page, in which each value has its name. Pure.
//!
//! [`table`] reads rows under a heading, [`scan`] everything else. Both take names from [`names`].
//! [`shapes`] adds values of AWS that have no name, and [`generic`] those whose names mean little.
//! [`clean`], [`markup`] and [`encoded`] remove what is around the text.

mod absent;
mod after;
mod bare;
mod clean;
mod encoded;
mod generic;
mod link;
mod markup;
mod names;
mod pair;
mod plain;
mod quoted;
mod scan;
mod shapes;
mod table;

pub(super) use link::looks_random;
pub(super) use pair::{Flaw, Name, Pair};
pub(super) use shapes::is_session_token;

/// Splits a text into values. Without any known name, the whole text is one bare value. With one,
/// all other assignments (a region, a profile's name) are dropped.
pub(crate) fn read(text: &str) -> Vec<Pair> {
    let text = markup::without_markup(&clean::clean(text));
    let mut pairs = named(&text);
    encoded::decode(&mut pairs);
    shapes::complete(&text, &mut pairs);
    generic::complete(&text, &mut pairs);
    if pairs.is_empty() {
        pairs.push(bare::bare(&text));
    }
    pairs
}

/// Finds values by their places in a text without names.
pub(super) fn read_by_place(text: &str) -> Vec<Pair> {
    let text = markup::without_markup(&clean::clean(text));
    let is_of_aws = text.trim_start().starts_with("ACCESSKEY");
    if is_of_aws || named(&text).is_empty() {
        bare::by_place(&text)
    } else {
        Vec::new()
    }
}

fn named(text: &str) -> Vec<Pair> {
    let table = table::table(text);
    if !table.is_empty() {
        return table;
    }
    // A paste of one line may begin with a comment that was a line of its own.
    if text.trim().contains('\n') {
        let found = scan::scan(&clean::without_comments(text));
        if !found.is_empty() {
            return found;
        }
    }
    scan::scan(text)
}

#[cfg(test)]
mod tests;
