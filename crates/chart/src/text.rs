//! Text in a picture.

use std::sync::LazyLock;

use ttf_parser::Face;

/// Font of all text: Noto Sans, with Latin, Greek and Cyrillic letters.
pub(crate) static FONT: &[u8] = include_bytes!("../font/NotoSans-Regular.ttf");
/// Stands for a character that the font lacks.
const REPLACEMENT: char = '?';
/// End of a shortened text.
const ELLIPSIS: char = '…';

static FACE: LazyLock<Face<'static>> =
    LazyLock::new(|| Face::parse(FONT, 0).expect("the font is part of the program"));

/// Returns a text on one line, without invisible characters.
pub(crate) fn cleaned(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let visible = line.chars();
    visible
        .filter(|it| !it.is_control() && !is_invisible(*it))
        .collect()
}

/// Returns a text as the font can show it: on one line, and with a replacement for characters that the font lacks.
pub(crate) fn shown(text: &str) -> String {
    let characters = cleaned(text);
    let characters = characters.chars();
    characters
        .map(|it| if has_glyph(it) { it } else { REPLACEMENT })
        .collect()
}

/// Returns true if the font lacks a character of a text.
pub(crate) fn lacks_glyphs(text: &str) -> bool {
    let mut visible = text.chars().filter(|it| !it.is_whitespace());
    visible.any(|it| !it.is_control() && !is_invisible(it) && !has_glyph(it))
}

fn has_glyph(it: char) -> bool {
    // Glyph 0 stands for missing ones.
    FACE.glyph_index(it).is_some_and(|glyph| glyph.0 != 0)
}

/// Characters that change the direction or the look of others. They could make a text look like another one.
fn is_invisible(it: char) -> bool {
    matches!(it, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

/// Width of a text in this size, in pixels.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    let units = text.chars().map(|it| {
        let glyph = FACE.glyph_index(it).unwrap_or_default();
        f64::from(FACE.glyph_hor_advance(glyph).unwrap_or_default())
    });
    units.sum::<f64>() * size / f64::from(FACE.units_per_em())
}

/// Shortens a text to a width in pixels.
pub(crate) fn fitted(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut left = room - width(&ELLIPSIS.to_string(), size);
    for it in text.chars() {
        left -= width(it.encode_utf8(&mut [0; 4]), size);
        if left < 0.0 {
            break;
        }
        out.push(it);
    }
    out.truncate(out.trim_end().len());
    out.push(ELLIPSIS);
    out
}

/// Shortens a text to a width in pixels in its middle: names often differ at their ends.
pub(crate) fn fitted_name(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let characters: Vec<_> = text.chars().collect();
    let shortened = |kept: usize| {
        let (start, end) = (kept.div_ceil(2), characters.len() - kept / 2);
        let start: String = characters[..start].iter().collect();
        let end: String = characters[end..].iter().collect();
        format!("{}{ELLIPSIS}{}", start.trim_end(), end.trim_start())
    };
    let fits = |kept: &usize| width(&shortened(*kept), size) <= room;
    // No more characters fit than the narrowest ones.
    let most = characters.len().min(room as usize);
    shortened((0..most).rev().find(fits).unwrap_or_default())
}

/// Writes the value of a category, so that no text looks like NULL or like nothing.
pub(crate) fn category(value: Option<&str>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some("NULL") => "\"NULL\"".to_owned(),
        Some(it) if cleaned(it).is_empty() => "\"\"".to_owned(),
        Some(it) => it.to_owned(),
    }
}

/// Shortens a text to a number of characters.
pub(crate) fn fitted_chars(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(most - 1).collect();
            format!("{}{ELLIPSIS}", kept.trim_end())
        }
    }
}

/// Escapes a text for XML.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            it => out.push(it),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_on_one_line_without_tricks() {
        assert_eq!(shown("a\n b\u{202e}c\u{0}"), "a bc");
        assert_eq!(shown("Ünï жω €"), "Ünï жω €");
        assert_eq!(shown("鴨 🦆 \u{ffff}"), "? ? ?");
        assert_eq!(cleaned("鴨\n🦆"), "鴨 🦆");
        assert!(lacks_glyphs("鴨") && !lacks_glyphs("Ente\n"));
        assert_eq!(
            escaped("<a b='\"&\">"),
            "&lt;a b=&#39;&quot;&amp;&quot;&gt;"
        );
    }

    #[test]
    fn long_text_is_shortened_to_its_room() {
        let text = fitted("a rather long name of a duck", 14.0, 100.0);
        assert!(text.ends_with('…') && width(&text, 14.0) <= 100.0, "{text}");
        assert_eq!(fitted("duck", 14.0, 100.0), "duck");
        let name = fitted_name("https://example.org/ducks/teal", 14.0, 100.0);
        assert!(width(&name, 14.0) <= 100.0, "{name}");
        assert_eq!(name, "https:/…ks/teal");
        assert_eq!(fitted_name("duck", 14.0, 100.0), "duck");
        assert_eq!(fitted_name("duck", 14.0, 1.0), "…");
    }
}
