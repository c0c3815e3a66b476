//! Places in texts: DuckDB counts bytes, and browsers count UTF-16 code units. Pure.

/// Returns the number of UTF-16 code units before a byte of a text. `None` if it is outside of the text,
/// or inside of a character.
pub(super) fn utf16_offset(text: &str, byte: usize) -> Option<usize> {
    Some(text.get(..byte)?.encode_utf16().count())
}

/// Converts ascending places in one pass. Places outside of the text are left out.
pub(super) fn utf16_offsets<T>(
    text: &str,
    bytes: impl IntoIterator<Item = (usize, T)>,
) -> Vec<(usize, T)> {
    let (mut from, mut offset) = (0, 0);
    let mut offsets = Vec::new();
    for (byte, it) in bytes {
        let Some(between) = text.get(from..byte) else {
            continue;
        };
        offset += between.encode_utf16().count();
        from = byte;
        offsets.push((offset, it));
    }
    offsets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_as_browsers_count_them() {
        let text = "a🦆éx";
        assert_eq!(utf16_offset(text, 0), Some(0));
        assert_eq!(utf16_offset(text, 5), Some(3));
        assert_eq!(utf16_offset(text, 7), Some(4));
        assert_eq!(utf16_offset(text, 8), Some(5));
        assert_eq!(utf16_offset(text, 2), None);
        assert_eq!(utf16_offset(text, 9), None);
        let places = [(0, 'a'), (5, 'b'), (6, 'c'), (7, 'd'), (99, 'e')];
        let expected = [(0, 'a'), (3, 'b'), (4, 'd')];
        assert_eq!(utf16_offsets(text, places), expected);
    }
}
