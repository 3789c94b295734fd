"""Tokens, what an operator registers, and problems."""

from typing import Final

_ID: Final = "Chosen at registration: a small letter, then small letters, digits and hyphens."
_JWT_BEARER: Final = "Always this."
_SERVER: Final = {
    "token_endpoint": "Where to ask for tokens.",
    "jwks_uri": "Where the keys are that sign access tokens.",
    "scopes_supported": "Every scope there is.",
    "response_types_supported": "None: there is no authorization endpoint.",
    "grant_types_supported": "How a token is asked for.",
    "token_endpoint_auth_methods_supported": "How a client proves itself there.",
    "token_endpoint_auth_signing_alg_values_supported": "With which algorithms it signs its assertion.",
    "revocation_endpoint": "Where to revoke tokens.",
}

MEANINGS: Final[dict[str, dict[str, str]]] = {
    "Token": {
        "access_token": "Send it as `Authorization: Bearer ...`.",
        "token_type": "Always `Bearer`.",
        "scope": "The scopes that were granted, by spaces.",
    },
    "TokenProblem": {
        "error": "Code of RFC 6749 5.2, such as `invalid_client`.",
        "error_description": "The same as `detail`.",
        "type": "`urn:parley:problem:` and a stable code: branch on this.",
        "title": "The code in words.",
        "status": "The status of the answer.",
        "detail": "What is wrong here, for people.",
    },
    "TokenRequest": {"grant_type": "Always this.", "client_assertion_type": _JWT_BEARER},
    "RevocationRequest": {"client_assertion_type": _JWT_BEARER},
    "AuthorizationDetail": {"type": "Always this."},
    "ServerMetadata": _SERVER
    | {
        "issuer": "The URL that the exchange calls itself; `iss` of its tokens.",
        "revocation_endpoint_auth_methods_supported": "How a client proves itself there.",
        "revocation_endpoint_auth_signing_alg_values_supported": "With which algorithms it signs its assertion.",
        "authorization_details_types_supported": "To what a token can be narrowed (RFC 9396).",
    },
    "SmartConfiguration": _SERVER
    | {
        "capabilities": "What it can do, in the words of the profile.",
        "code_challenge_methods_supported": "Of PKCE, which only an authorization endpoint needs.",
    },
    "ReceiptKeys": {"issuer": "The URL that the exchange calls itself; receipts name it."},
    "Organisation": {
        "id": _ID,
        "name": "What people call it.",
        "role": "What it is on this exchange.",
    },
    "OrganisationList": {"organisations": "This page of them, by id."},
    "Population": {
        "id": _ID,
        "rho": "Its lifetime ceiling over all contracts: a decimal of rho, such as `1.0`.",
        "attestation": "For a second population of an organisation: how the operator knows that nobody is in both.",
    },
    "OAuthClient": {"id": _ID, "scopes": "The most that its tokens may do."},
    "ClientList": {"clients": "This page of them."},
    "ListedClient": {
        "id": "The id of the client.",
        "scopes": "The most that its tokens may do.",
        "public_keys": "Public JWKs with which it proves itself.",
        "jwks_url": "https URL at which it publishes them.",
        "issuer": "https URL of an external issuer, whose tokens are its proof.",
        "subject": "What that issuer calls it.",
        "created_at": "When it was registered.",
        "revoked_at": "When it was revoked; null while it is not.",
        "revocation_reason": "Why it was revoked; null while it is not.",
    },
    "RevokedClient": {"id": "The id of the client."},
    "RegisteredKey": {"kid": "The id of the key; name it in the header of each signature."},
    "OwnSigningKey": {
        "kid": "The id of the key; name it in the header of each signature.",
        "created_at": "When it was registered.",
        "revoked_at": "When it was revoked; null while it signs.",
        "revocation_reason": "Why it was revoked; null while it signs.",
        "compromised": "Whether somebody else may have had it.",
    },
    "SigningKeyList": {"signing_keys": "This page of them, oldest first."},
    "Revocation": {"compromised": "Whether somebody else may have had the key."},
    "Problem": {
        "type": "`urn:parley:problem:` and a stable code: branch on this.",
        "title": "The code in words.",
        "status": "The status of the answer.",
        "detail": "What is wrong here and what to do, for people.",
        "errors": "Each fault of the input, where there are any.",
    },
    "Fault": {"code": "A stable code: branch on this.", "detail": "What is wrong there and what works, for people."},
    "Health": {"status": "`ok` or `ready`."},
}
