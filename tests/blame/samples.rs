//! Answers of real storages and catalogs, and what they mean.

/// Answer of a provider: status, body, words of the reply, and type of the API's problem.
pub(super) type Sample = (u16, &'static str, &'static str, &'static str);

/// Answers of storages.
pub(super) const STORAGE: [Sample; 23] = [
    // R2.
    (
        400,
        "<Error><Code>InvalidArgument</Code><Message>Credential access key has length 20, should \
         be 32</Message></Error>",
        "doesn't know this **access key ID**",
        "keys-rejected",
    ),
    (
        401,
        "<Error><Code>Unauthorized</Code></Error>",
        "doesn't accept these credentials",
        "keys-rejected",
    ),
    (
        400,
        "<Error><Code>InvalidRegionName</Code></Error>",
        "setting `s3_region`",
        "misconfigured",
    ),
    // Google.
    (
        403,
        "<Error><Code>InvalidSecurity</Code><Message>The provided security credentials are not \
         valid.</Message></Error>",
        "doesn't accept these credentials",
        "keys-rejected",
    ),
    // Ceph.
    (
        403,
        "<Error><Code>UserSuspended</Code></Error>",
        "is suspended",
        "keys-rejected",
    ),
    // AWS.
    (
        400,
        "<Error><Code>ExpiredToken</Code></Error>",
        "**session token** has expired",
        "keys-rejected",
    ),
    (
        403,
        "<Error><Code>AccountProblem</Code></Error>",
        "is suspended",
        "keys-rejected",
    ),
    (
        503,
        "<Error><Code>SlowDown</Code></Error>",
        "overloaded or has a problem",
        "unavailable",
    ),
    (
        500,
        "<Error><Code>InternalError</Code></Error>",
        "overloaded or has a problem",
        "unavailable",
    ),
    (
        400,
        "<Error><Code>RequestTimeout</Code></Error>",
        "overloaded or has a problem",
        "unavailable",
    ),
    (
        307,
        "<Error><Code>TemporaryRedirect</Code></Error>",
        "overloaded or has a problem",
        "unavailable",
    ),
    (
        301,
        "<Error><Code>PermanentRedirect</Code></Error>",
        "setting `s3_region`",
        "misconfigured",
    ),
    (
        403,
        "<Error><Code>RequestTimeTooSkewed</Code></Error>",
        "one of the clocks",
        "misconfigured",
    ),
    (
        404,
        "<Error><Code>NoSuchBucket</Code></Error>",
        "setting `s3_bucket`",
        "misconfigured",
    ),
    // Backblaze, versitygw.
    (
        400,
        "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is \
         malformed; the region 'us-east-1' is wrong; expecting 'us-west-004'</Message></Error>",
        "setting `s3_region`",
        "misconfigured",
    ),
    // Proxies.
    (429, "", "overloaded or has a problem", "unavailable"),
    (502, "<html>", "overloaded or has a problem", "unavailable"),
    (503, "<html>", "overloaded or has a problem", "unavailable"),
    // Garage.
    (
        403,
        "<Error><Code>AccessDenied</Code><Message>Forbidden: No such key: GK31c2f218a2e44f485b94239e\
         </Message><Region>garage</Region></Error>",
        "doesn't know this **access key ID**",
        "keys-rejected",
    ),
    // Alibaba.
    (
        403,
        "<Error><Code>SecondLevelDomainForbidden</Code><Message>The bucket you are attempting to \
         access must be addressed using OSS third level domain.</Message></Error>",
        "setting `s3_path_style`",
        "misconfigured",
    ),
    // Other servers.
    (
        200,
        "<html>",
        "is not an S3 service (HTTP 200)",
        "misconfigured",
    ),
    (
        404,
        "<html>",
        "is not an S3 service (HTTP 404)",
        "misconfigured",
    ),
    (
        400,
        "<Error><Code>SomethingNew</Code></Error>",
        "(HTTP 400 SomethingNew)",
        "misconfigured",
    ),
];

/// Answers of catalogs to a person with a catalog token.
pub(super) const CATALOG: [Sample; 15] = [
    // AWS Glue and S3 Tables.
    (
        403,
        r#"{"message":"Missing Authentication Token"}"#,
        "An admin has to set `sigv4_service`",
        "misconfigured",
    ),
    (
        401,
        r#"{"error":{"message":"Expired","type":"NotAuthorizedException","code":401}}"#,
        "doesn't accept this **catalog token**",
        "keys-rejected",
    ),
    (
        419,
        r#"{"error":{"message":"Expired","type":"AuthenticationTimeoutException","code":419}}"#,
        "doesn't accept this **catalog token**",
        "keys-rejected",
    ),
    (
        403,
        r#"{"error":{"message":"No","type":"ForbiddenException","code":403}}"#,
        "denies you access",
        "keys-rejected",
    ),
    // Databricks.
    (
        403,
        r#"{"error_code":"PERMISSION_DENIED","message":"No"}"#,
        "denies you access",
        "keys-rejected",
    ),
    (
        403,
        r#"{"error_code":403,"message":"Invalid access token."}"#,
        "doesn't accept this **catalog token**",
        "keys-rejected",
    ),
    // Envoy.
    (
        403,
        "RBAC: access denied",
        "denies you access",
        "keys-rejected",
    ),
    // Other software, which DuckDB refuses.
    (
        200,
        r#"{"status":"ok"}"#,
        "is not an Iceberg REST catalog (HTTP 200)",
        "misconfigured",
    ),
    (
        429,
        r#"{"error":{"message":"No","type":"TooManyRequestsException","code":429}}"#,
        "overloaded or has a problem",
        "unavailable",
    ),
    (500, "", "overloaded or has a problem", "unavailable"),
    (502, "<html>", "overloaded or has a problem", "unavailable"),
    (
        503,
        r#"{"error":{"message":"No","type":"SlowDownException","code":503}}"#,
        "overloaded or has a problem",
        "unavailable",
    ),
    (
        404,
        r#"{"error":{"message":"No","type":"NoSuchWarehouseException","code":404}}"#,
        "settings `catalogs.lake.endpoint` and `catalogs.lake.warehouse`",
        "misconfigured",
    ),
    (
        404,
        "<html>",
        "is not an Iceberg REST catalog (HTTP 404)",
        "misconfigured",
    ),
    (
        403,
        "<html>",
        "is not an Iceberg REST catalog (HTTP 403)",
        "misconfigured",
    ),
];
