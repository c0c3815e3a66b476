//! Sums and differences of numbers, with all their digits.

use std::fmt;

use crate::numbers::{MAX_DECIMALS, grouped, rounded};

/// Number of a frame, or a sum of such numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount {
    pub value: f64,
    /// The same with all digits, unless it has too many or is a floating-point number.
    exact: Option<Decimal>,
}

impl Amount {
    /// Takes a value, and its text if that has the exact digits.
    pub(crate) fn new(value: f64, exact: Option<&str>) -> Self {
        Self {
            value,
            exact: exact.and_then(Decimal::parse),
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        self.combine(other, |a, b| a + b, i128::checked_add)
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        self.combine(other, |a, b| a - b, i128::checked_sub)
    }

    pub(crate) fn is_exact(self) -> bool {
        self.exact.is_some()
    }

    fn combine(
        self,
        other: Self,
        about: fn(f64, f64) -> f64,
        exactly: fn(i128, i128) -> Option<i128>,
    ) -> Self {
        let both = self.exact.zip(other.exact);
        let exact = both.and_then(|(a, b)| a.combine(b, exactly));
        let about = about(self.value, other.value);
        Self {
            value: exact.map_or(about, Decimal::about),
            exact,
        }
    }

    /// Sum of several amounts. `None` if there are none.
    pub(crate) fn sum(amounts: impl Iterator<Item = Self>) -> Option<Self> {
        amounts.reduce(Self::plus)
    }
}

/// Writes the number with thousands separators.
impl fmt::Display for Amount {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.exact {
            Some(exact) => to.write_str(&grouped(&exact.to_string())),
            None => to.write_str(&rounded(self.value, MAX_DECIMALS)),
        }
    }
}

/// Whole number divided by a power of ten.
#[derive(Debug, Clone, Copy)]
struct Decimal {
    digits: i128,
    decimals: u32,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        Some(Self {
            digits: format!("{whole}{part}").parse().ok()?,
            decimals: u32::try_from(part.len()).ok()?,
        })
    }

    fn combine(self, other: Self, exactly: fn(i128, i128) -> Option<i128>) -> Option<Self> {
        let decimals = self.decimals.max(other.decimals);
        let digits = |it: Self| {
            let factor = 10_i128.checked_pow(decimals - it.decimals)?;
            it.digits.checked_mul(factor)
        };
        Some(Self {
            digits: exactly(digits(self)?, digits(other)?)?,
            decimals,
        })
    }

    fn about(self) -> f64 {
        self.to_string().parse().expect("a decimal is a number")
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.digits < 0 { "-" } else { "" };
        let decimals = self.decimals as usize;
        let digits = format!("{:0>1$}", self.digits.unsigned_abs(), decimals + 1);
        let (whole, part) = digits.split_at(digits.len() - decimals);
        let point = if part.is_empty() { "" } else { "." };
        write!(to, "{sign}{whole}{point}{part}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::new(text.parse().expect("a number"), Some(text))
    }

    #[test]
    fn sums_and_differences_keep_all_digits() {
        for (a, b, sum, difference) in [
            (
                "9007199254740993",
                "1",
                "9,007,199,254,740,994",
                "9,007,199,254,740,992",
            ),
            ("1", "0.123456789", "1.123456789", "0.876543211"),
            ("-0.50", "0.25", "-0.25", "-0.75"),
            ("0.05", "-0.05", "0.00", "0.10"),
            ("1.5", "1e3", "1,001.5", "-998.5"),
        ] {
            assert_eq!(amount(a).plus(amount(b)).to_string(), sum);
            assert_eq!(amount(a).minus(amount(b)).to_string(), difference);
        }
    }

    #[test]
    fn a_sum_with_too_many_digits_is_rounded() {
        let largest = i128::MAX.to_string();
        let sum = amount(&largest).plus(amount(&largest));
        assert_eq!(sum.to_string(), "3.402824e38");
        assert!(!sum.is_exact());
        let far = amount("0.00000000000000000000000000000000000001").plus(amount(&largest));
        assert_eq!(far.to_string(), "1.701412e38");
    }
}
