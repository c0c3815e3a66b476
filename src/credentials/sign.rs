//! Signs requests to S3 and other services with AWS Signature Version 4.
//!
//! The request has no body. Its only headers are those returned here and `Host`, which is
//! signed as reqwest sends it: with the port, unless that is the scheme's default.

use aws_credential_types::Credentials as Identity;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign as sign_request,
    },
    sign::v4,
};
use chrono::{DateTime, Utc};
use reqwest::{
    Method, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use secrecy::ExposeSecret;

use super::S3Keys;

/// The credentials or the region contain a character that no header can, such as a line break.
//
// It has no source, because the cause may quote the value.
#[derive(Debug, thiserror::Error)]
#[error("the credentials or the region contain a character that can't be sent in a header")]
pub(super) struct Unsendable;

/// Returns the headers that sign a request for `url`. AWS accepts them for 15 minutes from `time`.
/// The scope is a service and its region.
///
/// # Errors
/// Returns [`Unsendable`] if a value can't be part of a header.
pub(super) fn sign(
    method: &Method,
    url: &Url,
    keys: &S3Keys,
    (service, region): (&str, &str),
    time: DateTime<Utc>,
) -> Result<HeaderMap, Unsendable> {
    let token = keys.session_token.as_ref();
    let identity = Identity::new(
        keys.key_id.expose_secret(),
        keys.secret_key.expose_secret(),
        token.map(|token| token.expose_secret().to_owned()),
        None,
        "duckbot",
    )
    .into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(time.into())
        .settings(settings(service))
        .build()
        .expect("all parameters are set")
        .into();
    let request = SignableRequest::new(
        method.as_str(),
        url.as_str(),
        std::iter::empty(),
        SignableBody::empty(),
    )
    .map_err(|_| Unsendable)?;
    let (signed, _) = sign_request(request, &params)
        .map_err(|_| Unsendable)?
        .into_parts();
    let (headers, _) = signed.into_parts();
    headers
        .iter()
        .map(|header| {
            let mut value = HeaderValue::from_str(header.value()).map_err(|_| Unsendable)?;
            value.set_sensitive(true);
            Ok((HeaderName::from_static(header.name()), value))
        })
        .collect()
}

/// Settings for a service. Unlike other services, S3 requires the path encoded once and not
/// normalised, and a checksum among the headers.
fn settings(service: &str) -> SigningSettings {
    let mut settings = SigningSettings::default();
    if service == "s3" {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    settings
}
