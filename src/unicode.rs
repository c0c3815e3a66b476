//! Characters that hide or turn text, in names that people choose. Pure.

/// Returns true for characters that change the text direction or break a line. A name with one of
/// them could turn the sentence around it.
pub(crate) fn is_layout_control(c: char) -> bool {
    c.is_control()
        || matches!(
            u32::from(c),
            0x61C | 0x200E | 0x200F | 0x2028..=0x202E | 0x2066..=0x2069
        )
}

/// Returns true for invisible characters, and for those that change the text direction.
pub(crate) fn is_invisible(c: char) -> bool {
    is_layout_control(c)
        || matches!(
            u32::from(c),
            0xAD | 0x34F | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F
                | 0x200B..=0x200D | 0x2060..=0x2065 | 0x206A..=0x206F | 0x3164
                | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB
                | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF
        )
}

/// Isolates a text with right-to-left letters, so that it does not affect its neighbours.
/// [`is_layout_control`] must be false for all of its characters.
pub(crate) fn isolate(text: String) -> String {
    let is_right_to_left = |c: char| {
        matches!(
            u32::from(c),
            0x590..=0x8FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFC | 0x10800..=0x10FFF | 0x1E800..=0x1EFFF
        )
    };
    if text.contains(is_right_to_left) {
        format!("\u{2068}{text}\u{2069}")
    } else {
        text
    }
}
