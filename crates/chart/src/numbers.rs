//! Numbers as text.

/// Largest absolute value that can be drawn. Differences of larger ones could be infinite.
const MAX_VALUE: f64 = 1e300;
/// Most decimals of a floating-point number.
pub(crate) const MAX_DECIMALS: usize = 6;
/// From this on, numbers have a power of ten instead of all digits.
const LARGE: f64 = 1e15;

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

/// Writes a number with at most this many decimals. One below 1 has this many digits after its zeros.
pub(crate) fn rounded(value: f64, decimals: usize) -> String {
    let size = value.abs();
    if size >= LARGE || (size > 0.0 && size < 1e-6) {
        return scientific(value, MAX_DECIMALS);
    }
    plain(value, decimals)
}

fn plain(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let text = without_zeros(&text);
    grouped(if text == "-0" { "0" } else { text })
}

fn scientific(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$e}");
    let (number, power) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{}e{power}", without_zeros(number))
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

/// Shortens a floating-point number as DuckDB writes it to as many decimals as a picture needs.
pub(crate) fn shortened(text: &str) -> String {
    let digits = text.split(['e', 'E']).next().unwrap_or_default();
    let decimals = digits.split_once('.').map_or(0, |(_, part)| part.len());
    match parse(text) {
        Some(value) if decimals > MAX_DECIMALS => {
            let zeros = -value.abs().log10().floor();
            // Not the zeros before the first digit.
            let more = if (1.0..=6.0).contains(&zeros) {
                zeros as usize - 1
            } else {
                0
            };
            rounded(value, MAX_DECIMALS + more)
        }
        _ => grouped(text),
    }
}

/// Returns the distance between marks of an axis: 1, 2, 2.5 or 5 times a power of ten.
pub(crate) fn step(span: f64, most: usize, is_whole: bool) -> f64 {
    let wanted = (span / most as f64).max(if is_whole { 1.0 } else { 0.0 });
    let power = 10f64.powf(wanted.log10().floor());
    let times = wanted / power;
    let fits = |it: &f64| *it >= times - 1e-9 && !(is_whole && (it * power).fract() != 0.0);
    let times = [1.0, 2.0, 2.5, 5.0].into_iter().find(fits);
    times.unwrap_or(10.0) * power
}

/// Writes a mark of an axis whose marks have this distance, so that no two are the same. `largest` is the
/// largest absolute value of the axis.
pub(crate) fn mark(value: f64, step: f64, largest: f64) -> String {
    // One digit more, for steps such as 2.5.
    let last = step.log10().floor() as i32 - 1;
    let digits = |it: i32| usize::try_from(it.clamp(0, 17)).unwrap_or_default();
    if (1e-5..LARGE).contains(&largest) || value.abs() < step / 2.0 {
        return plain(value, digits(-last));
    }
    scientific(value, digits(value.abs().log10().floor() as i32 - last))
}

/// Writes a place along a chart. Years have no thousands separators.
pub(crate) fn place(value: f64) -> String {
    if is_like_a_year(value) {
        value.to_string()
    } else {
        rounded(value, MAX_DECIMALS)
    }
}

pub(crate) fn is_like_a_year(value: f64) -> bool {
    value.fract() == 0.0 && (1000.0..3000.0).contains(&value)
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
            (1e18, "1e18"),
            (1.000_001e16, "1.000001e16"),
            (1e-9, "1e-9"),
        ] {
            assert_eq!(rounded(value, 2), shown);
        }
    }

    #[test]
    fn long_floating_point_numbers_are_shortened() {
        for (text, shown) in [
            ("66.66666666666667", "66.666667"),
            ("1234.5", "1,234.5"),
            ("2.0", "2.0"),
            ("1e+20", "1e+20"),
            ("0.00012345678901", "0.000123457"),
            ("1.2345678901234e-07", "1.234568e-7"),
            ("9.123456789012345e+18", "9.123457e18"),
            ("inf", "inf"),
        ] {
            assert_eq!(shortened(text), shown);
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
