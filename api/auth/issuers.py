"""Which external issuers' access tokens are accepted, and how their words are read: the file of PARLEY_ISSUERS_FILE."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, post_load, pre_load, validate

from api.auth.access_tokens import DETAILS_CLAIM
from api.auth.keys import ACCESS_TOKEN_TYPES
from api.cli.files import read_document
from api.cli.output import Failure
from api.problems import input_faults
from api.schemas.fields import Form, WholeNumber, mapping, name_list, one_of, text
from contracts.external_issuers import is_https_url, is_issuer
from contracts.parties import JsonObject, Scope

# Never `none` or HS*: whoever can read the issuer's public keys could sign by those.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "Ed25519")
# All three kinds issue tokens of about an hour by default. Here they cannot be revoked one by one, only their client.
LIFETIME_SECONDS_DEFAULT: Final = 7200
LIFETIME_SECONDS_MAX: Final = 86_400

_PRINTABLE: Final = validate.Regexp(r"^[!-~]{1,255}\Z", error="a text of 1 to 255 printable characters, without spaces")


class IssuersInvalid(Exception):
    """The file of trusted issuers does not say whom to trust. The text says what to change, and where."""


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """One external issuer and what its access tokens must be like.

    issuer: the very text of their `iss`. types, untyped: what their header may have as `typ`, and whether it may have
    none. *_claim: where they name the client, its scopes, and `authorization_details`. scope_names, scope_prefix: how
    they write our scopes. require: token claims with the values that are accepted; forbid: ones that must be absent.
    """

    issuer: str
    jwks_uri: str
    audience: str
    algorithms: tuple[str, ...]
    types: tuple[str, ...]
    untyped: bool
    client_claim: str
    scopes_claim: str
    details_claim: str
    scope_prefix: str
    scope_names: Mapping[str, tuple[str, ...]]
    require: Mapping[str, tuple[Any, ...]]
    forbid: frozenset[str]
    max_lifetime_seconds: int

    def scopes_of(self, named: Iterable[str]) -> frozenset[str]:
        """Our scopes, in the issuer's words. A word that is listed means what the list says, and nothing else."""
        return frozenset(scope for name in named for scope in self._meaning(name))

    def _meaning(self, name: str) -> tuple[str, ...]:
        if name in self.scope_names:
            return self.scope_names[name]
        return (name.removeprefix(self.scope_prefix),) if name.startswith(self.scope_prefix) else ()


# What the access token of a program, not of a person, is like in each product. The file may say otherwise.
_ENTRA: Final[JsonObject] = {
    "types": ["JWT"],
    "client_claim": "azp",
    "scopes_claim": "roles",
    "require": {"ver": "2.0", "azpacr": ["1", "2"]},  # azpacr 0 is a client that proved nothing
    "forbid": ["scp"],
}
_OKTA: Final[JsonObject] = {
    "types": [],
    "untyped": True,
    "client_claim": "cid",
    "scopes_claim": "scp",
    "require": {"ver": 1},
    "forbid": ["uid"],
}
_KEYCLOAK: Final[JsonObject] = {
    "types": ["JWT", "at+jwt"],
    "client_claim": "client_id",  # azp is in tokens of persons too
    "scopes_claim": "scope",
    "require": {"typ": "Bearer"},
}


def _entra_of(issuer: str) -> JsonObject:
    """The tenant is in the issuer; requiring it as `tid` too costs nothing."""
    tenant = urlsplit(issuer).path.split("/")[1:2]
    return _ENTRA | {"require": _ENTRA["require"] | ({"tid": tenant[0]} if tenant else {})}


SHAPES: Final[Mapping[str, Callable[[str], JsonObject]]] = {
    "entra": _entra_of,
    "okta": lambda _: _OKTA,
    "keycloak": lambda _: _KEYCLOAK,
}


class _ClaimValues(fields.Field[Any]):
    """One value or a list of them: texts, whole numbers or booleans."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[Any, ...]:
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(each, str | int) for each in values):
            raise ValidationError("a text, a whole number, true or false, or a list of these")
        return tuple(values)


class IssuerSchema(Form):
    """One trusted issuer, as the file writes it."""

    shape = one_of(*SHAPES)
    issuer = fields.String(required=True, validate=lambda url: _check(is_issuer(url), "an https URL, as in `iss`"))
    jwks_uri = fields.String(required=True, validate=lambda url: _check(is_https_url(url), "an https URL"))
    audience = text(_PRINTABLE, required=True)
    algorithms = fields.List(one_of(*ALGORITHMS), load_default=["RS256"], validate=validate.Length(1))
    types = name_list(_PRINTABLE, least=0, most=10, load_default=list(ACCESS_TOKEN_TYPES))
    untyped = fields.Boolean(load_default=False, truthy={True}, falsy={False})
    client_claim = text(_PRINTABLE, required=True)
    scopes_claim = text(_PRINTABLE, required=True)
    details_claim = text(_PRINTABLE, load_default=DETAILS_CLAIM)
    scope_prefix = text(_PRINTABLE, load_default="")
    scope_names = mapping(fields.List(one_of(*Scope)), keys=_PRINTABLE, load_default=dict)
    require = mapping(_ClaimValues(), keys=_PRINTABLE, load_default=dict)
    forbid = name_list(_PRINTABLE, least=0, most=20, load_default=list)
    max_lifetime_seconds = WholeNumber(minimum=60, maximum=LIFETIME_SECONDS_MAX, load_default=LIFETIME_SECONDS_DEFAULT)

    @pre_load
    def fill_in(self, written: Any, **_: Any) -> Any:
        """From the shape, where the file is silent. Of `require` each claim by itself, so that none is lost unsaid."""
        if not isinstance(written, dict) or written.get("shape") not in [*SHAPES]:
            return written
        shape = SHAPES[written["shape"]](str(written.get("issuer")))
        filled = shape | written
        if isinstance(filled.get("require"), dict):
            filled["require"] = shape.get("require", {}) | filled["require"]
        return filled

    @post_load
    def make(self, read: JsonObject, **_: Any) -> TrustedIssuer:
        read.pop("shape", None)
        if not read["types"] and not read["untyped"]:
            raise ValidationError("needs at least one, unless untyped is true", "types")
        for name in ("algorithms", "types"):
            read[name] = tuple(read[name])
        names = {name: tuple(scopes) for name, scopes in read["scope_names"].items()}
        return TrustedIssuer(**read | {"forbid": frozenset(read["forbid"]), "scope_names": names})


class IssuersSchema(Form):
    """The file."""

    issuers = fields.List(fields.Nested(IssuerSchema), required=True, validate=validate.Length(1, 50))


def read_issuers(path: Path, own_issuer: str) -> tuple[TrustedIssuer, ...]:
    """The issuers that the file names, in YAML or JSON. Raises IssuersInvalid with all that is wrong."""
    try:
        issuers: list[TrustedIssuer] = IssuersSchema().load(read_document(path))["issuers"]
    except Failure as failure:
        raise IssuersInvalid(failure.message) from None
    except ValidationError as error:
        faults = [f"{fault.pointer} {fault.message}" for fault in input_faults({"file": error.messages})]
        raise IssuersInvalid("; ".join(faults)) from None
    taken = list(_taken([own_issuer, *(issuer.issuer for issuer in issuers)]))
    if taken:
        raise IssuersInvalid("; ".join(f"/issuers/{i - 1}/issuer is this exchange, or named before" for i in taken))
    return tuple(issuers)


def _taken(names: list[str]) -> Iterator[int]:
    return (i for i, name in enumerate(names) if name in names[:i])


def _check(holds: bool, form: str) -> None:
    if not holds:
        raise ValidationError(form)
