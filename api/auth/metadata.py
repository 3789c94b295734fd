"""What this authorization server publishes about itself (RFC 8414, SMART), and the OAuth part of openapi.yaml."""

from typing import Final
from urllib.parse import urlsplit

from authlib.common.security import is_secure_transport

from api.auth.assertions import ALGORITHMS, METHOD
from contracts.parties import JsonObject, Scope

TOKEN_PATH: Final = "/oauth/token"  # noqa: S105  # a path, not a secret
REVOCATION_PATH: Final = "/oauth/revoke"
METADATA_PATH: Final = "/.well-known/oauth-authorization-server"
SMART_PATH: Final = "/.well-known/smart-configuration"
JWKS_PATH: Final = "/.well-known/jwks.json"
GRANT_TYPE: Final = "client_credentials"
DETAILS_TYPE: Final = "data_sharing_contract"
SECURITY_SCHEME: Final = "oauth2"

SCOPE_MEANINGS: Final = {
    Scope.CONTRACTS_READ: "See contracts that name the organisation, and the schemas of their feeds.",
    Scope.CONTRACTS_WRITE: "Draft and propose contracts.",
    Scope.CONTRACTS_SIGN: "Add the organisation's signature to a proposed contract.",
    Scope.SUBMISSIONS_WRITE: "Post the periods of the organisation's feeds.",
    Scope.STATISTICS_READ: "Ask the statistics that a contract grants, and see which periods are open.",
    Scope.LEDGER_READ: "See the ledger of the organisation's own population.",
    Scope.AUDIT_READ: "See the audit of the organisation, and of the contracts that name it.",
    Scope.KEYS_WRITE: "Register, list and revoke the organisation's own signing keys.",
    Scope.ORG_ADMIN: "Register organisations, populations, clients and keys; for the operator alone.",
}


def check_issuer(issuer: str) -> None:
    """The issuer is the origin as clients see it, whatever proxy stands between: https, or http on loopback.

    Raises ValueError: Authlib refuses token requests at any other, and RFC 8414 forbids query and fragment.
    """
    parts = urlsplit(issuer)
    if not is_secure_transport(issuer) or issuer != f"{parts.scheme}://{parts.netloc}":
        raise ValueError("PARLEY_ISSUER must be an https origin with nothing after it: https://parley.example")


def token_endpoint_url(issuer: str) -> str:
    """The URL that assertions name as their audience; made from the issuer, never from the Host header."""
    return issuer + TOKEN_PATH


def revocation_endpoint_url(issuer: str) -> str:
    return issuer + REVOCATION_PATH


def server_metadata(issuer: str) -> JsonObject:
    """The RFC 8414 document. There is no authorization endpoint, hence no response type."""
    return {
        "issuer": issuer,
        "token_endpoint": token_endpoint_url(issuer),
        "jwks_uri": issuer + JWKS_PATH,
        "scopes_supported": [scope.value for scope in Scope],
        "response_types_supported": [],
        "grant_types_supported": [GRANT_TYPE],
        "token_endpoint_auth_methods_supported": [METHOD],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "revocation_endpoint": revocation_endpoint_url(issuer),
        "revocation_endpoint_auth_methods_supported": [METHOD],
        "revocation_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "authorization_details_types_supported": [DETAILS_TYPE],
    }


def smart_configuration(issuer: str) -> JsonObject:
    """What clients of SMART Backend Services look for (SMART App Launch 2.2, Conformance). Its schema takes, of the
    above, what the profile has; not the issuer, which is left to servers with OpenID Connect."""
    return {
        **server_metadata(issuer),
        "capabilities": ["client-confidential-asymmetric"],
        # Required of everybody, though without an authorization endpoint there is no use for it.
        "code_challenge_methods_supported": ["S256"],
    }


def security_schemes() -> JsonObject:
    """`components.securitySchemes` of openapi.yaml, under the name that every guard refers to."""
    flow = {"tokenUrl": TOKEN_PATH, "scopes": {scope.value: text for scope, text in SCOPE_MEANINGS.items()}}
    return {SECURITY_SCHEME: {"type": "oauth2", "flows": {"clientCredentials": flow}}}
