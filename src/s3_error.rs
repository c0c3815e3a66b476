//! The meaning of an S3 service's error responses. Pure.

/// Longest code to repeat to people. Real ones have at most 40 characters.
const MAX_CODE_LEN: usize = 64;

/// Meaning of an error response, for the person who can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum S3Error {
    /// The access key ID is unknown or malformed.
    UnknownKey,
    /// A part of the request is not valid, which may be the access key ID.
    InvalidPart,
    /// The secret access key is wrong.
    WrongSecret,
    /// The session token has expired.
    ExpiredToken,
    /// The session token is not valid.
    WrongToken,
    /// The account of the credentials is suspended or disabled.
    Suspended,
    /// The credentials are not accepted for another reason.
    Refused,
    /// The credentials are valid, but don't allow this request.
    NoPermission,
    /// The clocks of client and service differ.
    ClockSkew,
    NoBucket,
    /// The request was signed for another region than the bucket's.
    OtherRegion,
    /// The service is overloaded, failing or moving data. A later attempt may succeed.
    Busy,
    /// The response does not come from an S3 service.
    NotS3,
    /// Any other error, which depends on the settings.
    Strange,
}

/// Meanings of error codes. Providers that don't document their codes are listed by their server:
/// Hetzner, DigitalOcean and OVH run Ceph or answer as it does. Sources:
///
/// - AWS: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList>
/// - Google: <https://cloud.google.com/storage/docs/xml-api/reference-status>
/// - R2: <https://developers.cloudflare.com/r2/api/error-codes/>
/// - Ceph: `rgw_http_s3_errors` in <https://github.com/ceph/ceph/blob/main/src/rgw/rgw_common.cc>
/// - MinIO (and Storj): <https://github.com/minio/minio/blob/master/cmd/api-errors.go>
/// - SeaweedFS: `weed/s3api/s3err/s3api_errors.go` in <https://github.com/seaweedfs/seaweedfs>
/// - versitygw: `s3err/` in <https://github.com/versity/versitygw>
/// - Garage: `src/api/s3/error.rs` in <https://git.deuxfleurs.fr/Deuxfleurs/garage>
/// - StorageGRID: <https://docs.netapp.com/us-en/storagegrid/s3/error-responses.html>
const CODES: [(&str, S3Error); 47] = [
    // All of them.
    ("InvalidAccessKeyId", S3Error::UnknownKey),
    ("SignatureDoesNotMatch", S3Error::WrongSecret),
    ("AccessDenied", S3Error::NoPermission),
    ("NoSuchBucket", S3Error::NoBucket),
    ("RequestTimeTooSkewed", S3Error::ClockSkew),
    // versitygw with one account.
    ("XAdminUserNotFound", S3Error::UnknownKey),
    // AWS, Google, SeaweedFS, MinIO.
    ("ExpiredToken", S3Error::ExpiredToken),
    ("InvalidToken", S3Error::WrongToken),
    // MinIO.
    ("InvalidTokenId", S3Error::WrongToken),
    // AWS, Google.
    ("TokenRefreshRequired", S3Error::ExpiredToken),
    ("InvalidSecurity", S3Error::Refused),
    ("CredentialsNotSupported", S3Error::Refused),
    ("AuthenticationRequired", S3Error::Refused),
    // AWS in some regions and for some services.
    ("InvalidClientTokenId", S3Error::UnknownKey),
    ("UnrecognizedClientException", S3Error::UnknownKey),
    ("UnauthorizedAccess", S3Error::Refused),
    ("UnauthorizedAccessError", S3Error::Refused),
    ("InvalidSignature", S3Error::WrongSecret),
    ("InvalidSignatureException", S3Error::WrongSecret),
    ("ExpiredTokenException", S3Error::ExpiredToken),
    // R2: "Credential access key has length 20, should be 32". All: any other part of a request.
    ("InvalidArgument", S3Error::InvalidPart),
    // Ceph.
    ("InvalidSecretKey", S3Error::WrongSecret),
    ("UserSuspended", S3Error::Suspended),
    // AWS, Google, Wasabi.
    ("AccountProblem", S3Error::Suspended),
    ("NotSignedUp", S3Error::Suspended),
    ("AllAccessDisabled", S3Error::Suspended),
    // R2.
    ("NotEntitled", S3Error::Suspended),
    ("Unauthorized", S3Error::Refused),
    // Google.
    ("UserProjectAccessDenied", S3Error::NoPermission),
    // R2, MinIO: the signature is too old, which has the same cause.
    ("ExpiredRequest", S3Error::ClockSkew),
    ("RequestExpired", S3Error::ClockSkew),
    ("RequestNotReadyYet", S3Error::ClockSkew),
    // AWS.
    ("PermanentRedirect", S3Error::OtherRegion),
    ("IllegalLocationConstraintException", S3Error::OtherRegion),
    ("IncorrectEndpoint", S3Error::OtherRegion),
    // Ceph, versitygw.
    ("InvalidLocationConstraint", S3Error::OtherRegion),
    // MinIO, R2.
    ("InvalidRegion", S3Error::OtherRegion),
    ("InvalidRegionName", S3Error::OtherRegion),
    // AWS: the DNS entry of a new bucket is not everywhere yet.
    ("TemporaryRedirect", S3Error::Busy),
    ("Redirect", S3Error::Busy),
    // Codes that some services send with a status of 400.
    ("SlowDown", S3Error::Busy),
    ("RequestTimeout", S3Error::Busy),
    ("Throttling", S3Error::Busy),
    ("ThrottlingException", S3Error::Busy),
    ("RequestThrottled", S3Error::Busy),
    ("RequestLimitExceeded", S3Error::Busy),
    ("OperationAborted", S3Error::Busy),
];

/// Returns the meaning of an error response.
pub(crate) fn meaning(status: u16, document: &str) -> S3Error {
    let code = code(document);
    match (meaning_of_code(code), code, status) {
        (Some(meaning), _, _) => meaning,
        (None, "AuthorizationHeaderMalformed", _) if names_region(document) => S3Error::OtherRegion,
        // The service could not parse the key ID.
        (None, "AuthorizationHeaderMalformed", _) => S3Error::UnknownKey,
        (None, _, 307 | 408 | 425 | 429) => S3Error::Busy,
        // It will not be implemented by the next attempt.
        (None, _, 501) => S3Error::Strange,
        (None, _, 500..) => S3Error::Busy,
        (None, _, 401) => S3Error::Refused,
        (None, "", _) => S3Error::NotS3,
        (None, _, 403) => S3Error::Refused,
        (None, _, _) => S3Error::Strange,
    }
}

/// Returns the meaning of an error's code, if it is known.
pub(crate) fn meaning_of_code(code: &str) -> Option<S3Error> {
    let mut codes = CODES.iter();
    let known = codes.find(|(known, _)| known.eq_ignore_ascii_case(code));
    known.map(|(_, meaning)| *meaning)
}

/// Returns true if an `AuthorizationHeaderMalformed` is about the region. AWS, Garage and MinIO
/// name the right one in an element; AWS, versitygw and B2 in the message.
fn names_region(document: &str) -> bool {
    ["<Region>", "the region '", "unexpected scope"]
        .iter()
        .any(|sign| document.contains(sign))
}

/// Returns the code of an S3 error document. It is empty if there is no plausible code.
pub(crate) fn code(document: &str) -> &str {
    let inside = document
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"));
    let is_code =
        |code: &&str| code.len() <= MAX_CODE_LEN && code.chars().all(|c| c.is_ascii_alphanumeric());
    inside
        .map(|(code, _)| code.trim())
        .filter(is_code)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plausible_codes_are_repeated() {
        assert_eq!(code("<Error><Code>SlowDown</Code></Error>"), "SlowDown");
        for document in ["", "<Code>", "<Code>@everyone</Code>", "<Code>a b</Code>"] {
            assert_eq!(code(document), "", "{document}");
        }
    }

    #[test]
    fn each_code_is_listed_once() {
        let mut codes: Vec<_> = CODES.iter().map(|(code, _)| code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), CODES.len());
    }

    #[test]
    fn an_error_means_the_same_at_every_provider() {
        use S3Error::*;
        let error = |code: &str| format!("<Error><Code>{code}</Code></Error>");
        let region = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization \
                      header is malformed; the region 'us-east-1' is wrong; expecting \
                      'us-west-004'</Message></Error>";
        let garage = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>unexpected scope: \
                      20261126/us-east-1/s3/aws4_request</Message><Region>garage</Region></Error>";
        let page = "<html><head><title>Sign in</title></head></html>";
        for (status, document, expected) in [
            (400, error("InvalidArgument"), InvalidPart),
            (403, error("InvalidSecurity"), Refused),
            (403, error("UserSuspended"), Suspended),
            (401, error("Unauthorized"), Refused),
            (400, error("ExpiredToken"), ExpiredToken),
            (403, error("InvalidTokenId"), WrongToken),
            (403, error("SomethingNew"), Refused),
            (400, error("SomethingNew"), Strange),
            (400, error("AuthorizationHeaderMalformed"), UnknownKey),
            (400, region.into(), OtherRegion),
            (400, garage.into(), OtherRegion),
            (400, error("InvalidRegionName"), OtherRegion),
            (301, error("PermanentRedirect"), OtherRegion),
            (307, error("TemporaryRedirect"), Busy),
            (307, String::new(), Busy),
            (400, error("RequestTimeout"), Busy),
            (409, error("OperationAborted"), Busy),
            (429, String::new(), Busy),
            (500, error("InternalError"), Busy),
            (502, page.into(), Busy),
            (503, error("XMinioServerNotInitialized"), Busy),
            (520, page.into(), Busy),
            (501, error("NotImplemented"), Strange),
            (200, page.into(), NotS3),
            (302, page.into(), NotS3),
            (403, page.into(), NotS3),
            (404, page.into(), NotS3),
            (404, error("NoSuchBucket"), NoBucket),
        ] {
            assert_eq!(meaning(status, &document), expected, "{status} {document}");
        }
    }
}
