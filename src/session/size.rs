//! Sizes of a session: amounts of CPU, memory and disk.

use std::{fmt, str::FromStr};

/// A named size from the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    pub name: String,
    pub cpu: Cpu,
    /// Memory limit. The kernel kills a DuckDB that exceeds it.
    pub memory: Mebibytes,
    /// Limit of space on the node's disk, for everything that a session writes. The node evicts a
    /// session that exceeds it.
    pub disk: Mebibytes,
    pub requests: Requests,
}

/// Amounts that the cluster reserves for a session, each at most its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requests {
    pub cpu: Cpu,
    pub memory: Mebibytes,
    pub disk: Mebibytes,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} CPU, {} memory", self.name, self.cpu, self.memory)
    }
}

/// CPU in thousandths of a core, written as in Kubernetes (`500m`, `2`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cpu {
    millis: u32,
}

impl Cpu {
    /// Returns the number of whole cores, rounded up.
    pub fn cores(self) -> u32 {
        self.millis.div_ceil(1000)
    }
}

impl FromStr for Cpu {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "cores, like 2 or 500m";
        let (digits, scale) = match text.strip_suffix('m') {
            Some(digits) => (digits, 1),
            None => (text, 1000),
        };
        let count: u32 = digits.parse().map_err(|_| EXPECTED)?;
        match count.checked_mul(scale) {
            Some(millis) if millis > 0 => Ok(Self { millis }),
            _ => Err(EXPECTED),
        }
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.millis % 1000 {
            0 => write!(f, "{}", self.millis / 1000),
            _ => write!(f, "{}m", self.millis),
        }
    }
}

/// An amount in MiB, written as in Kubernetes (`512Mi`, `4Gi`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mebibytes {
    mebibytes: u32,
}

impl Mebibytes {
    pub const fn new(mebibytes: u32) -> Self {
        Self { mebibytes }
    }

    pub const fn gibibytes(count: u32) -> Self {
        Self {
            mebibytes: count * 1024,
        }
    }

    /// Returns an eighth of the amount, but at least 1 MiB.
    pub fn eighth(self) -> Self {
        Self {
            mebibytes: (self.mebibytes / 8).max(1),
        }
    }

    /// Returns the rest of the amount without `part`.
    pub fn minus(self, part: Self) -> Self {
        Self {
            mebibytes: self.mebibytes.saturating_sub(part.mebibytes),
        }
    }

    /// Returns the amount in MiB.
    pub fn mebibytes(self) -> u32 {
        self.mebibytes
    }
}

impl FromStr for Mebibytes {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "an amount, like 512Mi or 4Gi";
        let (digits, scale) = match (text.strip_suffix("Mi"), text.strip_suffix("Gi")) {
            (Some(digits), _) => (digits, 1),
            (_, Some(digits)) => (digits, 1024),
            _ => return Err(EXPECTED),
        };
        let count: u32 = digits.parse().map_err(|_| EXPECTED)?;
        match count.checked_mul(scale) {
            Some(mebibytes) if mebibytes > 0 => Ok(Self { mebibytes }),
            _ => Err(EXPECTED),
        }
    }
}

impl fmt::Display for Mebibytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mebibytes % 1024 {
            0 => write!(f, "{}Gi", self.mebibytes / 1024),
            _ => write!(f, "{}Mi", self.mebibytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_as_kubernetes_does() {
        for (text, written) in [("2", "2"), ("500m", "500m"), ("2000m", "2")] {
            let cpu: Cpu = text.parse().expect(text);
            assert_eq!(cpu.to_string(), written);
        }
        for (text, written) in [("512Mi", "512Mi"), ("4Gi", "4Gi"), ("2048Mi", "2Gi")] {
            let memory: Mebibytes = text.parse().expect(text);
            assert_eq!(memory.to_string(), written);
        }
    }

    #[test]
    fn nothing_negative_huge_or_without_unit_is_an_amount() {
        for text in ["", "0", "-1", "m", "1.5", "4294967295", "1 "] {
            assert!(text.parse::<Cpu>().is_err(), "{text:?}");
        }
        for text in ["", "0Mi", "4", "4GB", "-1Gi", "4294967295Gi", "Gi"] {
            assert!(text.parse::<Mebibytes>().is_err(), "{text:?}");
        }
    }
}
