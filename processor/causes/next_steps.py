"""What to do next, by what went wrong: only where something other than the same request again can help."""

from __future__ import annotations

from processor.causes.store_answer import ARCHIVED

REGION = "name the bucket's region: --region, AWS_REGION"
_SIGN_IN = "sign in again; a new session's credentials sign new URLs"
_TOKEN = f"{_SIGN_IN}; an opt-in region takes only tokens of its regional STS: AWS_STS_REGIONAL_ENDPOINTS=regional"
_SSO = "sign in: aws sso login, with the same --profile"
_STYLE = (
    "the store wants the bucket in the host name: S3_ADDRESSING_STYLE=virtual, or the profile's s3.addressing_style"
)
_CLOCK = "set this machine's clock"
_KEYS = "check that the credentials belong to this endpoint: --profile, AWS_PROFILE, --endpoint-url"
_LATER = "the service takes no more requests for now: try again later, or with fewer jobs and chains at once"
_SLOWER = "the service asks for fewer requests at once: lower concurrency"

# By a service's error code.
NEXT_STEPS = {
    "AccessDenied": "the credentials in use lack the right, or the requester must pay: --request-payer requester "
    "(REQUEST_PAYER; the stack's RequesterPaysBucket)",
    "AccountProblem": "ask the account's owner",
    "AuthFailure": _KEYS,
    "AuthorizationHeaderMalformed": REGION,
    "ExpiredToken": _SIGN_IN,
    "ExpiredTokenException": _SIGN_IN,
    "IllegalLocationConstraintException": REGION,
    "InvalidAccessKeyId": _KEYS,
    "InvalidClientTokenId": _KEYS,
    ARCHIVED: "the object is archived: restore it first",
    "InvalidPathAccess": _STYLE,
    "InvalidToken": _TOKEN,
    "KMS.DisabledException": "enable the KMS key",
    "KMS.KMSInvalidStateException": "cancel the deletion of the KMS key, and enable the key",
    "NoSuchBucket": "check the bucket's name, and the endpoint",
    "NoSuchKey": "check the key; if the endpoint contains the bucket's name, remove the name there",
    "NotSignedUp": "ask the account's owner",
    "PathStyleDomainForbidden": _STYLE,
    "PermanentRedirect": REGION,
    "ProvisionedThroughputExceededException": "give the table more capacity, or on-demand capacity",
    "RequestExpired": _CLOCK,
    "RequestLimitExceeded": _LATER,
    "RequestTimeTooSkewed": _CLOCK,
    "SecondLevelDomainForbidden": _STYLE,
    "SignatureDoesNotMatch": "check the secret key, and region and style: --region, S3_ADDRESSING_STYLE",
    "SlowDown": _SLOWER,
    "ThrottlingException": _LATER,
    "UnrecognizedClientException": _KEYS,
    "VirtualHostDomainRequired": _STYLE,
}
NEXT_STEPS |= {"403": NEXT_STEPS["AccessDenied"], "404": NEXT_STEPS["NoSuchBucket"], "301": REGION}
NEXT_STEPS["AllAccessDisabled"] = NEXT_STEPS["AccountProblem"]

_CONFIG = "correct ~/.aws/config, or the file that AWS_CONFIG_FILE names"
_FILE = "save it as UTF-8 without a byte order mark, each section under one [name], each setting as name = value"
_CREDENTIALS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile: --profile, AWS_PROFILE"
# Errors of the SDK that never reached a service: what they mean, and the next step.
UNSENT = {
    "NoCredentialsError": ("there are no AWS credentials", _CREDENTIALS),
    "PartialCredentialsError": (None, _CREDENTIALS),
    "NoRegionError": ("no region is named", "--region, AWS_REGION, or region in the profile"),
    "ProfileNotFound": (None, "aws configure list-profiles shows the profiles"),
    "SSOTokenLoadError": (None, _SSO),
    "UnauthorizedSSOTokenError": (None, _SSO),
    "TokenRetrievalError": (None, _SSO),
    "PendingAuthorizationExpiredError": (None, _SSO),
    "CredentialRetrievalError": (None, "run the profile's credential_process, or its sign-in, by hand to see more"),
    "ConfigParseError": (None, _FILE),
    **dict.fromkeys(
        (
            "InvalidChecksumConfigError",
            "InvalidConfigError",
            "InvalidDefaultsMode",
            "InvalidMaxRetryAttemptsError",
            "InvalidRetryConfigurationError",
        ),
        (None, _CONFIG),
    ),
    "InvalidRegionError": (None, "name a region: --region, AWS_REGION, or region in the profile"),
}
# Codes and errors of a session that has ended: no other try of this process can help.
SIGNED_OUT = frozenset(
    {code for code, step in NEXT_STEPS.items() if step in {_SIGN_IN, _TOKEN}}
    | {name for name, (_, step) in UNSENT.items() if step == _SSO}
)

ELSEWHERE = "and no redirect is followed: name that endpoint if it is the store's, or sign in to the network"
BETWEEN = "a proxy, a firewall or another server may have answered"
OTHER_HOST = "another server answers there, or the endpoint's name is not the one in its certificate"
TLS = "name the CA that signed its certificate: --ca-bundle, AWS_CA_BUNDLE"
NETWORK = "check the region (--region), the endpoint (--endpoint-url, AWS_ENDPOINT_URL_S3) and the network"
