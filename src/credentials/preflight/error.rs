//! Errors of a check of credentials, and who can do something about them.

use crate::outbound::CertificateProblem;

/// Errors in the credentials, or in the services that they were checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreflightError {
    /// No connection, or no answer within the time limit.
    Unreachable(CheckedService),
    /// The certificate of the service is not accepted.
    BadCertificate {
        who: CheckedService,
        problem: CertificateProblem,
    },
    /// The service is overloaded or failing. A later attempt may succeed.
    Busy {
        who: CheckedService,
        status: u16,
    },
    /// The access key ID is unknown or malformed.
    UnknownKey,
    /// The secret access key does not belong to the access key ID.
    WrongSecret,
    ExpiredToken,
    WrongToken,
    /// The account of the credentials is suspended or disabled.
    Suspended,
    /// The storage does not accept the credentials for another reason.
    Refused,
    /// The credentials are valid, but may not do this.
    NoPermission {
        /// Permission, as in an IAM policy.
        action: &'static str,
        /// Bucket from the settings.
        bucket: String,
    },
    /// The clocks of the bot and the storage differ too much.
    ClockSkew,
    /// The bucket from the settings does not exist.
    NoBucket(String),
    /// The settings name another region.
    OtherRegion,
    /// The storage wants the bucket in another place of the URL (`s3_path_style`).
    OtherStyle,
    /// The address in the settings is a bucket's, not the storage's.
    BucketInEndpoint,
    /// The storage's address or region in the settings is not valid.
    InvalidStorageSettings,
    /// The catalog with this name wants a token, and there is none.
    CatalogWantsToken(String),
    /// The catalog with this name does not accept the token.
    CatalogRefuses(String),
    /// The catalog with this name accepts the token or the signature, but denies access.
    CatalogForbids(String),
    /// The catalog with this name wants signed requests, as AWS Glue and S3 Tables do, and the
    /// settings don't say so.
    CatalogWantsSigV4(String),
    /// The catalog with this name expects signatures for another region or service.
    CatalogOtherScope(String),
    /// The catalog wants requests at another address, and does not serve them at the one in the
    /// settings.
    CatalogMoved {
        /// Name of the catalog.
        catalog: String,
        /// Address that the catalog wrote, shortened, without characters that could end its quotes.
        uri: String,
    },
    /// The address in the settings belongs to something else: a page, a proxy or another API.
    WrongEndpoint {
        who: CheckedService,
        status: u16,
    },
    /// Any other answer, which depends on the settings.
    Strange {
        who: CheckedService,
        status: u16,
        /// Code of the S3 error. Empty if there is none.
        code: String,
    },
}

/// A service that credentials are checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckedService {
    Storage,
    /// The catalog with this name.
    Catalog(String),
}

/// Causes of an error. Of several causes, only the last one in this order is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorOrigin {
    /// The credentials are wrong.
    Credentials,
    /// The settings or a clock are wrong, and an admin has to correct them.
    Settings,
    /// A temporary failure.
    Transient,
}

impl PreflightError {
    pub fn origin(&self) -> ErrorOrigin {
        match self {
            Self::Unreachable(_) | Self::Busy { .. } => ErrorOrigin::Transient,
            Self::BadCertificate { .. }
            | Self::ClockSkew
            | Self::NoBucket(_)
            | Self::OtherRegion
            | Self::OtherStyle
            | Self::BucketInEndpoint
            | Self::CatalogOtherScope(_)
            | Self::InvalidStorageSettings
            | Self::CatalogWantsSigV4(_)
            | Self::CatalogMoved { .. }
            | Self::WrongEndpoint { .. }
            | Self::Strange { .. } => ErrorOrigin::Settings,
            Self::UnknownKey
            | Self::WrongSecret
            | Self::ExpiredToken
            | Self::WrongToken
            | Self::Suspended
            | Self::Refused
            | Self::NoPermission { .. }
            | Self::CatalogWantsToken(_)
            | Self::CatalogRefuses(_)
            | Self::CatalogForbids(_) => ErrorOrigin::Credentials,
        }
    }
}
