//! Numbers as text.

/// Largest absolute value that can be drawn. Differences of larger ones could be infinite.
const MAX_VALUE: f64 = 1e300;

/// Reads a number as DuckDB writes it. Returns `None` for one that can't be drawn.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    // A chart shows no difference between both zeros.
    (value.abs() <= MAX_VALUE).then_some(value + 0.0)
}

/// Adds thousands separators to a number as DuckDB writes it. Its digits stay as they are.
pub(crate) fn grouped(text: &str) -> String {
    let sign = text.len() - text.trim_start_matches(['-', '+']).len();
    let (sign, rest) = text.split_at(sign);
    let end = rest.find(|it: char| !it.is_ascii_digit());
    let (whole, rest) = rest.split_at(end.unwrap_or(rest.len()));
    let mut out = sign.to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}

/// Writes a computed number with at most this many decimals.
pub(crate) fn rounded(value: f64, decimals: usize) -> String {
    let size = value.abs();
    if size >= 1e15 || (size > 0.0 && size < 1e-6) {
        return format!("{value:.2e}");
    }
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    grouped(if text == "-0" { "0" } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated_and_digits_kept() {
        for (text, shown) in [
            ("0", "0"),
            ("999", "999"),
            ("-1000", "-1,000"),
            ("1234567.1234567", "1,234,567.1234567"),
            ("1e+20", "1e+20"),
            ("nan", "nan"),
        ] {
            assert_eq!(grouped(text), shown);
        }
        for (value, shown) in [
            (1234.5, "1,234.5"),
            (-0.001, "0"),
            (1e18, "1.00e18"),
            (1e-9, "1.00e-9"),
        ] {
            assert_eq!(rounded(value, 2), shown);
        }
    }

    #[test]
    fn infinite_numbers_are_not_drawn() {
        for text in ["inf", "-inf", "nan", "1e301", "1e999", "", "one"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("-1e300"), Some(-1e300));
    }
}
