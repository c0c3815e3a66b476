//! Parses the text of one value. Returns `None` if it is not valid. Pure.

use std::path::PathBuf;

use chrono::TimeDelta;

use crate::catalog::values;

/// Description of a valid ID, for errors.
pub(super) const ID: &str = "a Discord ID, like 1029384756102938475";
/// Description of a valid duration, for errors.
pub(super) const DURATION: &str = "a duration, like 5m or 1h 30m";

/// Description of a valid table of strings, for errors.
pub(super) const TEXTS: &str = "a table of strings";

/// Parses a duration such as `1h 30m`: more than 0, and at most 365 days.
pub fn duration(text: &str) -> Option<TimeDelta> {
    any_duration(text).filter(|it| *it <= TimeDelta::days(365))
}

/// Parses a duration of more than 0. One that [`TimeDelta`] can't hold becomes its maximum.
pub fn any_duration(text: &str) -> Option<TimeDelta> {
    let duration = humantime::parse_duration(text).ok()?;
    let delta = TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
    (delta > TimeDelta::zero()).then_some(delta)
}

/// Parses a Discord ID.
pub(super) fn id(text: &str) -> Option<u64> {
    text.parse().ok().filter(|id| *id > 0)
}

/// Parses any type that implements `FromStr`.
pub(super) fn parse<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// Parses a text without control characters, which no session accepts.
pub(super) fn any(text: &str) -> Option<String> {
    values::plain_text(text).ok()
}

/// Parses an HTTP URL. Removes slashes at its end.
pub(super) fn url(text: &str) -> Option<String> {
    values::http_url(text).ok()
}

/// Parses the path of a file, a folder or a program.
pub(super) fn path(text: &str) -> Option<PathBuf> {
    any(text).map(PathBuf::from)
}

pub(super) fn host_and_port(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let valid = domain_name(host).is_some() && port.parse::<u16>().is_ok_and(|port| port > 0);
    valid.then(|| text.to_owned())
}

pub(super) fn image(text: &str) -> Option<String> {
    text.chars()
        .all(|c| c.is_ascii_graphic())
        .then(|| text.to_owned())
}

/// Parses a bucket name. Allows the underscores of older buckets besides
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
pub(super) fn bucket(text: &str) -> Option<String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    ((3..=63).contains(&text.len()) && text.chars().all(inner)).then(|| text.to_owned())
}

/// Parses an RFC 1123 label.
pub(super) fn label(text: &str) -> Option<String> {
    values::is_label(text).then(|| text.to_owned())
}

/// Parses an RFC 1123 subdomain, which is a valid name for most Kubernetes objects.
pub(super) fn domain_name(text: &str) -> Option<String> {
    let valid = text.len() <= 253 && text.split('.').all(|part| label(part).is_some());
    valid.then(|| text.to_owned())
}
