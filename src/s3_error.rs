//! The meaning of an S3 service's error responses. Pure.

mod document;

use document::ErrorDocument;

/// Meaning of an error response, for the person who can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum S3Error {
    /// The access key ID is unknown or malformed.
    UnknownKey,
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
    /// The request is denied with a code that is not known.
    Denied,
    /// The credentials are valid, but don't allow this request.
    NoPermission,
    /// The quota of the storage or the account is used up.
    QuotaExceeded,
    /// The file is in an archive, and has to be restored first.
    Archived,
    /// The clocks of client and service differ.
    ClockSkew,
    NoBucket,
    /// The request was signed for another region than the bucket's.
    OtherRegion,
    /// The bucket belongs in another place of the URL.
    OtherStyle,
    /// The bucket or account is served at another address.
    OtherAddress,
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
/// - Alibaba (OSS): <https://www.alibabacloud.com/help/en/oss/support/http-status-codes-1/>
/// - Tencent (COS): <https://www.tencentcloud.com/document/product/436/7730>
/// - Huawei (OBS): <https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0115.html>
/// - Wasabi: <https://docs.wasabi.com/docs/error-code-list>
/// - Backblaze (B2): <https://www.backblaze.com/docs/cloud-storage-call-the-native-api>
/// - Oracle: <https://docs.oracle.com/en-us/iaas/Content/Object/Tasks/s3compatibleapi.htm>
/// - ECS: <https://www.dell.com/support/kbdoc/en-us/000019500>
/// - Azure: <https://learn.microsoft.com/en-us/rest/api/storageservices/common-rest-api-error-codes>
const CODES: &[(&str, S3Error)] = &[
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
    ("Locked", S3Error::Busy),
    ("QpsLimitExceeded", S3Error::Busy),
    ("RequestRateLimitExceeded", S3Error::Busy),
    // Wasabi, for five minutes after many attempts with wrong credentials.
    ("AuthenticationLockout", S3Error::Busy),
    // OSS.
    ("UserDisable", S3Error::Suspended),
    ("InDebt", S3Error::Suspended),
    ("InDebtOverdue", S3Error::Suspended),
    ("AbnormalBucketOwnerStatus", S3Error::Suspended),
    ("SecurityTokenExpired", S3Error::ExpiredToken),
    ("InvalidSecurityToken", S3Error::WrongToken),
    ("AccessKeyIdAndSecurityTokenNotMatch", S3Error::WrongToken),
    ("BucketNotBelongTo", S3Error::NoPermission),
    ("SecondLevelDomainForbidden", S3Error::OtherStyle),
    // OBS.
    ("FrozenUserId", S3Error::Suspended),
    ("DeregisterUserId", S3Error::Suspended),
    ("InArrearOrInsufficientBalance", S3Error::Suspended),
    ("VirtualHostDomainRequired", S3Error::OtherStyle),
    // OBS, Wasabi, Zenko.
    ("AccessForbidden", S3Error::NoPermission),
    ("InvalidAccessKey", S3Error::UnknownKey),
    // COS. The legal reason of the last one is mostly a bill.
    ("RequestIsExpired", S3Error::ClockSkew),
    ("PathStyleDomainForbidden", S3Error::OtherStyle),
    ("InvalidUserStatus", S3Error::Suspended),
    ("UnavailableForLegalReasons", S3Error::Suspended),
    // Wasabi.
    ("AccountNotActivated", S3Error::Suspended),
    ("AccountInactive", S3Error::Suspended),
    // Google.
    ("UserProjectAccountProblem", S3Error::Suspended),
    // MinIO.
    ("XMinioAccessKeyDisabled", S3Error::Suspended),
    // Storj.
    ("ExceededUsageLimit", S3Error::Suspended),
    // AWS.
    ("OptInRequired", S3Error::Suspended),
    ("InvalidPayer", S3Error::NoPermission),
    ("InvalidObjectState", S3Error::Archived),
    // Ceph, Scaleway.
    ("QuotaExceeded", S3Error::QuotaExceeded),
    // B2, in JSON.
    ("bad_auth_token", S3Error::Refused),
    ("expired_auth_token", S3Error::ExpiredToken),
    ("download_cap_exceeded", S3Error::QuotaExceeded),
    ("storage_cap_exceeded", S3Error::QuotaExceeded),
    ("transaction_cap_exceeded", S3Error::QuotaExceeded),
    ("too_many_requests", S3Error::Busy),
    // Azure, which is no S3 service, and ECS, which wants the namespace in the host.
    ("AuthenticationFailed", S3Error::OtherAddress),
    ("NoNamespaceForAnonymousRequest", S3Error::OtherAddress),
];

/// Codes that mean several things, with words of the message, in lower case, that tell which one.
const MESSAGES: &[(&str, &str, S3Error)] = &[
    // Garage.
    (
        "AccessDenied",
        "forbidden: invalid signature",
        S3Error::WrongSecret,
    ),
    (
        "AccessDenied",
        "forbidden: no such key",
        S3Error::UnknownKey,
    ),
    (
        "AccessDenied",
        "forbidden: date is too old",
        S3Error::ClockSkew,
    ),
    // SeaweedFS.
    (
        "AccessDenied",
        "request is not valid yet",
        S3Error::ClockSkew,
    ),
    // OSS.
    (
        "AccessDenied",
        "must be addressed using the specified endpoint",
        S3Error::OtherAddress,
    ),
    // B2.
    ("AccessDenied", "cap exceeded", S3Error::QuotaExceeded),
    // Oracle.
    (
        "SignatureDoesNotMatch",
        "secret key required to complete authentication could not be found",
        S3Error::UnknownKey,
    ),
    (
        "SignatureDoesNotMatch",
        "authentication region name",
        S3Error::OtherRegion,
    ),
    // AWS, MinIO, versitygw and B2; Garage; Google.
    (
        "AuthorizationHeaderMalformed",
        "the region",
        S3Error::OtherRegion,
    ),
    (
        "AuthorizationHeaderMalformed",
        "unexpected scope",
        S3Error::OtherRegion,
    ),
    (
        "AuthorizationHeaderMalformed",
        "in credential scope",
        S3Error::OtherRegion,
    ),
    // The service could not parse the key ID.
    ("AuthorizationHeaderMalformed", "", S3Error::UnknownKey),
    // R2: "Credential access key has length 20, should be 32". Others: any part of a request.
    ("InvalidArgument", "credential", S3Error::UnknownKey),
    ("InvalidArgument", "access key", S3Error::UnknownKey),
    // SeaweedFS: "Missing Credential field for this request."
    ("InvalidRequest", "credential", S3Error::UnknownKey),
];

/// Returns the meaning of an error response.
pub(crate) fn meaning(status: u16, document: &str) -> S3Error {
    let document = ErrorDocument::parse(document);
    let code = &*document.code;
    let known = match code {
        "AuthorizationHeaderMalformed" if document.has_region => Some(S3Error::OtherRegion),
        _ => meaning_of(code, &document.message),
    };
    // An unknown code in JSON may be of any server.
    let has_code = !code.is_empty() && !document.is_json;
    match (known, status) {
        (Some(meaning), _) => meaning,
        (None, status) if is_momentary(status) => S3Error::Busy,
        (None, 401) => S3Error::Refused,
        (None, 403) if has_code => S3Error::Denied,
        (None, 501) => S3Error::Strange,
        (None, _) if has_code => S3Error::Strange,
        (None, _) => S3Error::NotS3,
    }
}

/// Returns the meaning of an error's code and message, if it is known.
pub(crate) fn meaning_of(code: &str, message: &str) -> Option<S3Error> {
    let is_code = |known: &str| known.eq_ignore_ascii_case(code);
    let message = message.to_ascii_lowercase();
    let mut messages = MESSAGES.iter();
    let by_message = messages.find(|(known, words, _)| is_code(known) && message.contains(words));
    if let Some((_, _, meaning)) = by_message {
        return Some(*meaning);
    }
    let mut codes = CODES.iter();
    let by_code = codes.find(|(known, _)| is_code(known));
    match by_code {
        Some((_, meaning)) => Some(*meaning),
        // `Throttling.User`, `KMS.ThrottlingException`.
        None if code.contains("Throttl") => Some(S3Error::Busy),
        None => None,
    }
}

/// Returns true for a status of any server after which a later attempt may succeed. Statuses over
/// 511 are Cloudflare's: <https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/>.
pub(crate) fn is_momentary(status: u16) -> bool {
    match status {
        // Not implemented; unknown version; a login page of the network; no TLS to the server, or with a bad
        // certificate. The next attempt will not change them.
        501 | 505 | 511 | 525 | 526 => false,
        408 | 425 | 429 | 499 | 500.. => true,
        _ => false,
    }
}

/// Returns the code of an S3 error document. It is empty if there is no plausible code.
pub(crate) fn code(document: &str) -> String {
    ErrorDocument::parse(document).code.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let says = |code: &str, message: &str| {
            format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>")
        };
        let region = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization \
                      header is malformed; the region 'us-east-1' is wrong; expecting \
                      'us-west-004'</Message></Error>";
        let garage = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>unexpected scope: \
                      20261126/us-east-1/s3/aws4_request</Message><Region>garage</Region></Error>";
        let page = "<html><head><title>Sign in</title></head></html>";
        for (status, document, expected) in [
            (400, error("InvalidArgument"), Strange),
            (400, says("InvalidArgument", "Prefix must not contain NUL"), Strange),
            (
                400,
                says("InvalidArgument", "Credential access key has length 20, should be 32"),
                UnknownKey,
            ),
            // Google.
            (
                400,
                "<Error><Code>InvalidArgument</Code><Message>Invalid argument.</Message><Details>No \
                 project specified</Details></Error>"
                    .into(),
                Strange,
            ),
            (
                400,
                "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header \
                 is malformed</Message><Details>Invalid location 'eu' in credential scope</Details>\
                 </Error>"
                    .into(),
                OtherRegion,
            ),
            // Garage, SeaweedFS, OSS, B2.
            (403, says("AccessDenied", "Forbidden: Invalid signature"), WrongSecret),
            (403, says("AccessDenied", "Forbidden: No such key: GK31c2"), UnknownKey),
            (403, says("AccessDenied", "Forbidden: Date is too old"), ClockSkew),
            (
                403,
                says("AccessDenied", "Forbidden: Operation is not allowed for this key."),
                NoPermission,
            ),
            (403, says("AccessDenied", "Request is not valid yet"), ClockSkew),
            (
                403,
                says(
                    "AccessDenied",
                    "The bucket you are attempting to access must be addressed using the specified \
                     endpoint. Please send all future requests to this endpoint.",
                ),
                OtherAddress,
            ),
            (403, says("AccessDenied", "Transaction cap exceeded, see"), QuotaExceeded),
            (403, r#"{"code":"download_cap_exceeded","status":403}"#.into(), QuotaExceeded),
            // Oracle.
            (
                403,
                says(
                    "SignatureDoesNotMatch",
                    "The secret key required to complete authentication could not be found. The \
                     region must be specified if this is not the home region for the tenancy.",
                ),
                UnknownKey,
            ),
            (
                403,
                says("SignatureDoesNotMatch", "Authentication region name 'x' is incorrect."),
                OtherRegion,
            ),
            (403, error("UserDisable"), Suspended),
            (451, error("UnavailableForLegalReasons"), Suspended),
            (403, error("SecurityTokenExpired"), ExpiredToken),
            (403, error("AuthenticationLockout"), Busy),
            (400, error("Throttling.User"), Busy),
            (400, error("KMS.ThrottlingException"), Busy),
            (403, error("SecondLevelDomainForbidden"), OtherStyle),
            (403, error("NoNamespaceForAnonymousRequest"), OtherAddress),
            (403, error("AccessForbidden"), NoPermission),
            (403, error("QuotaExceeded"), QuotaExceeded),
            (403, error("InvalidObjectState"), Archived),
            (403, error("RequestIsExpired"), ClockSkew),
            (403, r#"{"Code":"SignatureDoesNotMatch"}"#.into(), WrongSecret),
            (403, r#"{"code":"Forbidden"}"#.into(), NotS3),
            (403, error("InvalidSecurity"), Refused),
            (403, error("UserSuspended"), Suspended),
            (401, error("Unauthorized"), Refused),
            (400, error("ExpiredToken"), ExpiredToken),
            (403, error("InvalidTokenId"), WrongToken),
            (403, error("SomethingNew"), Denied),
            (400, error("SomethingNew"), Strange),
            (400, error("AuthorizationHeaderMalformed"), UnknownKey),
            (400, region.into(), OtherRegion),
            (400, garage.into(), OtherRegion),
            (400, error("InvalidRegionName"), OtherRegion),
            (301, error("PermanentRedirect"), OtherRegion),
            (307, error("TemporaryRedirect"), Busy),
            // A proxy that wants https.
            (307, String::new(), NotS3),
            (307, "Temporary Redirect".into(), NotS3),
            (400, error("RequestTimeout"), Busy),
            (409, error("OperationAborted"), Busy),
            (429, String::new(), Busy),
            (500, error("InternalError"), Busy),
            (502, page.into(), Busy),
            (503, error("XMinioServerNotInitialized"), Busy),
            (520, page.into(), Busy),
            (501, error("NotImplemented"), Strange),
            (511, page.into(), NotS3),
            (525, "error code: 525".into(), NotS3),
            (526, "error code: 526".into(), NotS3),
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
