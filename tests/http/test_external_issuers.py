"""Access tokens of external issuers. The how-to's file and its example tokens are what is tested."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from joserfc.jwk import import_key

from adapters.identity.fetching import Reach
from adapters.identity.jwks import HELD_SECONDS, RETRY_SECONDS, PublishedKeys
from api.auth.external_tokens import ExternalTokens
from api.auth.issuers import read_issuers
from api.auth.jose import public_members
from api.auth.metadata import DETAILS_TYPE
from api.cli import main
from contracts.audit.verifying import verify_books
from contracts.parties import Client, JsonObject, Role, Scope
from tests.http.exchange import AUDIENCE, ISSUER, NOW, START, Exchange, segment
from tests.http.test_access_tokens import REALM, assert_refused
from tests.support.identity_provider import IdentityProvider, new_key, serving, signed
from tests.support.small_exchange import SmallExchange

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "accept-tokens-of-your-identity-provider.md"
NARROWED = "urn:parley:problem:authorization-details-insufficient"
SHAPES = ("entra", "okta", "keycloak")
ORGANISATIONS = dict(zip(SHAPES, ("blueridge", "helix", "helix"), strict=True))
UNREACHABLE = (
    f'{REALM}, error="invalid_token", error_description="The keys of the issuer of this access token cannot be '
    'fetched just now; try again."'
)


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", HOW_TO.read_text(), re.DOTALL)


TOKENS: dict[str, JsonObject] = dict(zip(SHAPES, map(json.loads, examples("json")), strict=True))
CLIENTS = {name: TOKENS[name]["payload"][claim] for name, claim in zip(SHAPES, ("azp", "cid", "azp"), strict=True)}


class House:
    """The exchange, the three issuers that it trusts, and a client of each."""

    def __init__(self, exchange: Exchange, provider: IdentityProvider, file: Path) -> None:
        self.exchange = exchange
        self.provider = provider
        self.keys = {name: new_key(TOKENS[name]["header"]["kid"]) for name in SHAPES}
        self.issuers = {name: TOKENS[name]["payload"]["iss"] for name in SHAPES}
        text = examples("yaml")[0]
        for name, jwks_uri in zip(SHAPES, re.findall(r"jwks_uri: (\S+)", text), strict=True):
            text = text.replace(jwks_uri, provider.url(name))
        file.write_text(text)
        self.file = file
        self.trusted = read_issuers(file, ISSUER)
        for name in SHAPES:
            self.register(f"{name}-client", ORGANISATIONS[name], self.issuers[name], CLIENTS[name])

    def register(self, client: str, organisation: str, issuer: str, subject: str) -> None:
        scopes = frozenset({Scope.CONTRACTS_READ, Scope.LEDGER_READ})
        with self.exchange.database.writing() as stores:
            stores.parties.add_client(Client(client, organisation, scopes, (), START, issuer=issuer, subject=subject))

    def reset(self) -> None:
        """Nothing fetched yet, and everything published."""
        self.provider.down = False
        for name, key in self.keys.items():
            self.provider.publish(name, key)
        published = PublishedKeys(Reach(frozenset({self.provider.host})), monotonic=self._seconds)
        clock = self.exchange.clock
        external = tuple(ExternalTokens(trusted, published, clock) for trusted in self.trusted)
        self.exchange.wiring.external = external
        self.provider.calls = 0

    def _seconds(self) -> float:
        return self.exchange.clock.now().timestamp()

    def token(self, shape: str, key: JsonObject | None = None, header: JsonObject | None = None, **changed: Any) -> str:
        """The how-to's example but for what a test changes; None leaves out."""
        example = TOKENS[shape]
        key = self.keys[shape] if key is None else key
        return signed(key, {**example["header"], **(header or {})}, {**example["payload"], **changed})

    def call(self, token: str, path: str = "/contracts") -> Any:
        return self.exchange.call(token, path)

    def refuses(self, token: str) -> None:
        assert_refused(self.call(token), "token-invalid")

    def accepts(self, token: str) -> JsonObject:
        answer = self.call(token)
        assert answer.status_code == 200, answer.get_json()
        caller: JsonObject = answer.get_json()
        return caller


@pytest.fixture(scope="module")
def whole_house(module_exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("issuers")
    with serving(folder) as provider:
        yield House(module_exchange, provider, folder / "issuers.yaml")


@pytest.fixture
def house(exchange: Exchange, whole_house: House) -> House:
    whole_house.reset()
    return whole_house


# --- let in


@pytest.mark.parametrize("shape", SHAPES)
def test_the_token_of_the_how_to_opens_what_registration_and_token_both_give(house: House, shape: str) -> None:
    assert house.accepts(house.token(shape)) == {
        "client": f"{shape}-client",
        "organisation": ORGANISATIONS[shape],
        "role": "payer" if ORGANISATIONS[shape] == "blueridge" else "brand",
        "scopes": ["contracts.read"],
    }


@pytest.mark.parametrize(("shape", "claim"), [("entra", "roles"), ("okta", "scp"), ("keycloak", "scope")])
def test_a_good_token_without_the_scope_is_403_and_names_it(house: House, shape: str, claim: str) -> None:
    challenge = f'{REALM}, error="insufficient_scope", scope="contracts.read"'
    for scopes in (None, [], ["CONTRACTS.READ"], ["org.admin"]):
        answer = house.call(house.token(shape, **{claim: scopes}))
        assert_refused(answer, "scope-missing", challenge, 403)
    assert house.call(house.token(shape), "/ledger").status_code == 403


def test_a_scope_of_the_token_that_is_not_registered_is_not_had(house: House) -> None:
    everything = " ".join(Scope)
    assert house.accepts(house.token("keycloak", scope=everything))["scopes"] == ["contracts.read", "ledger.read"]


def test_the_audience_may_be_one_of_several(house: House) -> None:
    house.accepts(house.token("keycloak", aud=["account", "https://parley.example"]))


def test_scopes_are_parted_by_spaces_and_by_no_other_blank(house: House) -> None:
    assert house.accepts(house.token("keycloak", scope=" contracts.read  ledger.read"))["scopes"] == [
        "contracts.read",
        "ledger.read",
    ]
    for blank in ("\u00a0", "\t", "\n", "\u2003"):
        assert house.call(house.token("keycloak", scope=f"contracts.read{blank}ledger.read")).status_code == 403


@pytest.mark.parametrize("shape", SHAPES)
def test_authorization_details_narrow_a_foreign_token_without_a_word_in_the_file(house: House, shape: str) -> None:
    """Whatever they are, null too; what is not understood opens nothing."""
    details = [{"type": DETAILS_TYPE, "identifier": "dsc-small", "actions": ["contracts.read"]}]
    validate = house.exchange.wiring.access_tokens.validate
    assert validate(house.token(shape)).details is None
    assert validate(house.token(shape, authorization_details=details)).details == details
    for written in (details, [], {}, "", 0, False, None, "all", [{"type": "account_information"}]):
        payload = json.dumps({**TOKENS[shape]["payload"], "authorization_details": written})
        answer = house.call(_signed_text(house, shape, payload))
        assert (answer.status_code, answer.get_json()["type"]) == (403, NARROWED), written


def test_keys_are_fetched_once_for_many_tokens(house: House) -> None:
    for _ in range(3):
        house.accepts(house.token("okta"))
    assert house.provider.calls == 1


# --- whose it is


FOREIGN_WORDS: list[JsonObject] = [
    {"organisation": "helix"},
    {"organization": "helix", "org_id": "helix", "tenant": "helix"},
    {"client_id": "helix-client"},
    {"sub": "helix-client"},
    {"appid": "helix-client", "cid": "helix-client"},
    {"role": "operator", "groups": ["operator"], "realm_access": {"roles": ["org.admin"]}},
]


@pytest.mark.parametrize("words", FOREIGN_WORDS, ids=str)
def test_what_a_foreign_token_says_of_organisations_and_our_clients_changes_nothing(
    house: House, words: JsonObject
) -> None:
    assert house.accepts(house.token("entra", **words)) == house.accepts(house.token("entra"))


@pytest.mark.parametrize(("shape", "claim"), [("entra", "azp"), ("okta", "cid"), ("keycloak", "client_id")])
def test_a_foreign_token_cannot_name_one_of_our_clients(house: House, shape: str, claim: str) -> None:
    for ours in ("blueridge-client", "helix-client", "entra-client", "okta-client", "nobody"):
        house.refuses(house.token(shape, **{claim: ours}))


def test_a_token_of_ours_cannot_name_an_external_client(house: House) -> None:
    for shape in SHAPES:
        for name in (f"{shape}-client", CLIENTS[shape]):
            organisation = ORGANISATIONS[shape]
            house.refuses(house.exchange.forged_access_token(client_id=name, sub=name, organisation=organisation))


def test_two_issuers_may_call_different_clients_the_same(house: House) -> None:
    house.register("named-by-okta", "helix", house.issuers["okta"], "same-name")
    house.register("named-by-keycloak", "blueridge", house.issuers["keycloak"], "same-name")
    by_okta = house.accepts(house.token("okta", cid="same-name"))
    by_keycloak = house.accepts(house.token("keycloak", client_id="same-name"))
    assert (by_okta["client"], by_keycloak["client"]) == ("named-by-okta", "named-by-keycloak")
    assert (by_okta["organisation"], by_keycloak["organisation"]) == ("helix", "blueridge")


def test_a_revoked_client_is_out_at_once(house: House) -> None:
    house.register("to-be-revoked", "helix", house.issuers["okta"], "gone")
    token = house.token("okta", cid="gone")
    house.accepts(token)
    with house.exchange.database.writing() as stores:
        client = stores.parties.find_client("to-be-revoked")
        assert client is not None
        revoked = {field: getattr(client, field) for field in client.__slots__} | {"revoked_at": START}
        stores.parties.revoke_client(Client(**revoked | {"revocation_reason": "left"}))
    house.refuses(token)


# --- which issuer


@pytest.mark.parametrize(
    "lookalike",
    [
        lambda url: url + "/",
        lambda url: url.upper(),
        lambda url: url.replace("https", "HTTPS"),
        lambda url: url.replace("https", "http"),
        lambda url: url.replace(".example", ".example:443"),
        lambda url: url.replace("login", "l\u043egin"),  # a Cyrillic o
        lambda url: url.replace("login", "log\u0131n"),
        lambda url: url.replace("realms", "%72ealms"),
        lambda url: url.replace("/realms", "//realms"),
        lambda url: url + "?",
        lambda url: url + "#",
        lambda url: url + " ",
        lambda url: url + "\u200b",
        lambda url: url + "\x00",
        lambda url: [url],
        lambda url: {"iss": url},
        lambda _: 7,
        lambda _: True,
        lambda _: ISSUER,
        lambda _: "",
        lambda _: None,
    ],
)
def test_an_issuer_that_only_looks_like_a_trusted_one_is_refused_and_asked_nothing(
    house: House, lookalike: Any
) -> None:
    house.refuses(house.token("keycloak", iss=lookalike(house.issuers["keycloak"])))
    assert house.provider.calls == 0


@pytest.mark.parametrize("signer", SHAPES)
@pytest.mark.parametrize("named", SHAPES)
def test_a_trusted_issuer_signs_for_no_other(house: House, signer: str, named: str) -> None:
    if signer == named:
        return
    theirs = house.keys[signer]
    house.refuses(house.token(named, theirs))
    house.refuses(house.token(named, theirs, {"kid": theirs["kid"]}))


def test_neither_do_the_exchange_and_an_issuer_sign_for_each_other(house: House) -> None:
    ours = house.exchange.token_jwk
    house.refuses(house.token("keycloak", ours, {"alg": "ES256", "kid": ours["kid"], "typ": "at+jwt"}))
    theirs = house.keys["keycloak"]
    house.refuses(house.exchange.forged_access_token(theirs))
    house.refuses(house.exchange.forged_access_token({**theirs, "kid": ours["kid"]}))


def test_a_token_of_an_issuer_has_no_place_under_the_rules_of_another(house: House) -> None:
    payload = {**TOKENS["okta"]["payload"], "iss": house.issuers["entra"], "aud": TOKENS["entra"]["payload"]["aud"]}
    house.refuses(signed(house.keys["entra"], TOKENS["entra"]["header"], payload))


def test_the_tokens_of_the_exchange_stay_good_beside_those_of_others(house: House) -> None:
    assert house.accepts(house.exchange.access_token())["client"] == "blueridge-client"
    assert house.provider.calls == 0


# --- signatures and keys


def test_an_unsigned_token_is_refused(house: House) -> None:
    for shape in SHAPES:
        _, payload, _ = house.token(shape).split(".")
        for algorithm in ("none", "None", "NONE", ""):
            house.refuses(f"{segment({**TOKENS[shape]['header'], 'alg': algorithm})}.{payload}.")


def test_hs256_with_the_published_key_as_secret_is_refused(house: House) -> None:
    for shape in SHAPES:
        _, payload, _ = house.token(shape).split(".")
        public = import_key(public_members(house.keys[shape]))
        pem = public.as_pem()  # type: ignore[union-attr]
        for algorithm, digest in (("HS256", hashlib.sha256), ("HS512", hashlib.sha512)):
            header = segment({**TOKENS[shape]["header"], "alg": algorithm})
            for secret in (
                pem,
                pem.strip(),
                json.dumps(public.as_dict()).encode(),
                str(public.as_dict()["n"]).encode(),
            ):
                mac = hmac.new(secret, f"{header}.{payload}".encode(), digest).digest()
                house.refuses(f"{header}.{payload}.{segment(mac)}")


@pytest.mark.parametrize("algorithm", ["RS384", "PS256", "ES256", "ES384", "Ed25519"])
def test_an_algorithm_that_is_not_this_issuers_is_refused(house: House, algorithm: str) -> None:
    key = new_key("another-kind", algorithm)
    published = {name: value for name, value in key.items() if name != "alg"}
    house.provider.publish("keycloak", published)
    house.refuses(house.token("keycloak", key, {"alg": algorithm, "kid": "another-kind"}))
    assert house.provider.calls == 0


@pytest.mark.parametrize(
    "header",
    [
        {"jku": "https://evil.example/jwks.json"},
        {"x5u": "https://evil.example/x.pem"},
        {"x5c": ["MIIB"]},
        {"crit": ["exp"]},
        {"b64": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_header_that_points_to_a_key_or_changes_the_reading_is_refused(
    house: House, shape: str, header: JsonObject
) -> None:
    whole = segment({**TOKENS[shape]["header"], **header})
    _, payload, signature = house.token(shape).split(".")
    house.refuses(f"{whole}.{payload}.{signature}")
    if header.keys() <= {"jku", "x5u"}:
        house.refuses(house.token(shape, header=header))


def test_a_header_that_brings_its_key_is_refused(house: House) -> None:
    stranger = new_key("stranger")
    for kid in ("stranger", "okta-key", None):
        house.refuses(house.token("okta", stranger, {"jwk": public_members(stranger), "kid": kid}))


@pytest.mark.parametrize(
    "kid",
    ["unknown", "", "../okta-key", "entra-key", "' OR 1=1 --", "\x00", "k" * 400, 7, True, ["okta-key"], {}, None],
)
def test_an_unknown_kid_is_refused(house: House, kid: Any) -> None:
    header = {**TOKENS["okta"]["header"], "kid": kid}
    _, payload, signature = house.token("okta").split(".")
    house.refuses(f"{segment(header)}.{payload}.{signature}")


def test_a_key_for_encryption_or_for_another_algorithm_verifies_nothing(house: House) -> None:
    key = house.keys["okta"]
    for changed in ({"use": "enc"}, {"alg": "RS512"}, {"alg": "RSA-OAEP"}):
        house.reset()
        house.provider.publish("okta", {**key, **changed})
        house.refuses(house.token("okta"))


def test_two_keys_of_one_kid_verify_nothing(house: House) -> None:
    house.provider.publish("okta", house.keys["okta"], new_key("okta-key"))
    house.refuses(house.token("okta"))


def test_an_altered_token_is_refused(house: House) -> None:
    for part in range(3):
        parts = house.token("okta").split(".")
        parts[part] = house.token("okta", header={"cty": "x"}, cid="same").split(".")[part]
        house.refuses(".".join(parts))


# --- kinds of token


def test_a_token_without_typ_is_refused_unless_its_issuer_is_known_to_write_none(house: House) -> None:
    for shape in ("entra", "keycloak"):
        house.refuses(house.token(shape, header={"typ": None}))
    house.refuses(house.token("okta", header={"typ": "JWT"}))
    house.refuses(house.token("okta", header={"typ": "at+jwt"}))


@pytest.mark.parametrize("typ", ["", "jwt ", "ID", "logout+jwt", "client-authentication+jwt", 1, ["JWT"], {}])
def test_another_typ_is_refused(house: House, typ: Any) -> None:
    for shape in SHAPES:
        _, payload, signature = house.token(shape).split(".")
        house.refuses(f"{segment({**TOKENS[shape]['header'], 'typ': typ})}.{payload}.{signature}")


NOT_FOR_US: dict[str, tuple[str, JsonObject]] = {
    "ID token of Entra": ("entra", {"azp": None, "azpacr": None, "nonce": "n", "preferred_username": "a@b.example"}),
    "Entra, for a person": ("entra", {"scp": "contracts.read", "roles": ["contracts.read"]}),
    "Entra, of a public client": ("entra", {"azpacr": "0"}),
    "Entra, version 1": ("entra", {"ver": "1.0", "azp": None, "appid": CLIENTS["entra"]}),
    "Entra, another tenant": ("entra", {"tid": "11111111-2222-3333-4444-555555555555"}),
    "Entra, version as a number": ("entra", {"ver": 2.0}),
    "ID token of Okta": ("okta", {"aud": CLIENTS["okta"], "cid": None, "scp": None}),
    "ID token of Okta for this audience": ("okta", {"cid": None, "amr": ["pwd"], "nonce": "n"}),
    "Okta, for a person": ("okta", {"uid": "00u1", "sub": "person@helix.example"}),
    "Okta, version as a truth": ("okta", {"ver": True}),
    "Okta, version as text": ("okta", {"ver": "1"}),
    "ID token of Keycloak": ("keycloak", {"typ": "ID", "aud": CLIENTS["keycloak"]}),
    "ID token of Keycloak for this audience": ("keycloak", {"typ": "ID"}),
    "refresh token of Keycloak": ("keycloak", {"typ": "Refresh"}),
    "Keycloak, for a person": ("keycloak", {"client_id": None, "sid": "s", "preferred_username": "pat"}),
}


@pytest.mark.parametrize("kind", NOT_FOR_US)
def test_what_is_no_access_token_of_a_program_is_refused(house: House, kind: str) -> None:
    shape, changed = NOT_FOR_US[kind]
    house.refuses(house.token(shape, **changed))


# --- audience and time


@pytest.mark.parametrize(
    "audience", [AUDIENCE, ISSUER + "/", "account", [], ["account"], None, 7, {"https://parley.example": 1}, [[ISSUER]]]
)
def test_a_wrong_audience_is_refused(house: House, audience: Any) -> None:
    house.refuses(house.token("keycloak", aud=audience))


def test_the_edges_of_its_time_are_kept(house: House) -> None:
    token = house.token("keycloak")
    house.exchange.clock.go_on(299.5)
    house.accepts(token)
    house.exchange.clock.go_on(0.1)  # START is 0.4 s after a second
    assert_refused(house.call(token), "token-expired")
    house.exchange.clock.go_on(3600)
    assert_refused(house.call(token), "token-expired")


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_the_issuers_clock_may_be_30_seconds_ahead_of_ours(house: House, claim: str) -> None:
    house.accepts(house.token("entra", **{claim: NOW + 30}))
    house.refuses(house.token("entra", **{claim: NOW + 31}))


def test_a_token_that_lives_longer_than_its_issuer_should_let_it_is_refused(house: House) -> None:
    house.accepts(house.token("okta", exp=NOW + 7200))
    house.refuses(house.token("okta", exp=NOW + 7201))
    house.refuses(house.token("okta", iat=NOW - 7200, exp=NOW + 1))
    house.refuses(house.token("okta", exp=10**400))


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ["soon", "1772366400", True, [], {}, "1e400", "NaN", "Infinity"])
def test_a_time_that_is_no_number_is_refused(house: House, claim: str, value: Any) -> None:
    house.refuses(house.token("entra", **{claim: value}))
    written = json.dumps({**TOKENS["entra"]["payload"], claim: "?"}).replace('"?"', str(value))
    if value in ("1e400", "NaN", "Infinity"):
        house.refuses(_signed_text(house, "entra", written))


@pytest.mark.parametrize("claim", ["exp", "iat", "iss", "aud", "azp"])
def test_a_token_claim_that_is_needed_cannot_be_missing_or_null(house: House, claim: str) -> None:
    house.refuses(house.token("entra", **{claim: None}))
    house.refuses(_signed_text(house, "entra", json.dumps({**TOKENS["entra"]["payload"], claim: None})))


# --- token claims of wrong forms


@pytest.mark.parametrize(
    "client",
    ["", " " * 300, "x" * 256, "a\x00b", "\ud800", "line\nbreak", 7, True, 1e3, [CLIENTS["okta"]], {"id": "x"}],
)
def test_a_client_that_is_no_name_is_refused(house: House, client: Any) -> None:
    house.refuses(house.token("okta", cid=client))


@pytest.mark.parametrize(
    "scopes", [7, True, {"contracts.read": 1}, [["contracts.read"]], ["contracts.read", 7], [None]]
)
@pytest.mark.parametrize(("shape", "claim"), [("entra", "roles"), ("okta", "scp"), ("keycloak", "scope")])
def test_scopes_that_are_no_texts_are_refused(house: House, shape: str, claim: str, scopes: Any) -> None:
    house.refuses(house.token(shape, **{claim: scopes}))


def test_a_huge_or_deeply_nested_token_is_refused_and_does_no_harm(house: House) -> None:
    house.refuses(house.token("okta", more="x" * 200_000))
    house.refuses(_signed_text(house, "okta", '{"iss": ' + "[" * 50_000 + "]" * 50_000 + "}"))
    house.refuses(_signed_text(house, "okta", '{"iss": ' + "9" * 5000 + "}"))
    for text in ("[]", "7", "null", '"x"', "", "{", "\x00"):
        house.refuses(_signed_text(house, "okta", text))
    house.accepts(house.token("okta", more=[{"nested": [1, None, {}]}] * 1000))


def test_of_a_name_given_twice_the_same_value_chooses_the_issuer_and_is_verified(house: House) -> None:
    trusted, other = house.issuers["okta"], "https://other.example"
    payload = json.dumps({**TOKENS["okta"]["payload"], "iss": "?"})
    for first, last in ((trusted, other), (other, trusted)):
        text = payload.replace('"iss": "?"', f'"iss": "{first}", "iss": "{last}"')
        answer = house.call(_signed_text(house, "okta", text))
        assert answer.status_code == (200 if last == trusted else 401)


def _signed_text(house: House, shape: str, payload: str) -> str:
    """A token over any text at all, by the issuer's right key."""
    return signed(house.keys[shape], TOKENS[shape]["header"], payload)


# --- keys that change, and cannot be had


def test_a_new_key_of_the_issuer_is_found_and_the_old_one_stays_while_it_is_published(house: House) -> None:
    old = house.token("okta")
    house.accepts(old)
    following = new_key("okta-key-2")
    house.provider.publish("okta", following, house.keys["okta"])
    new = house.token("okta", following, {"kid": "okta-key-2"})
    house.exchange.clock.go_on(RETRY_SECONDS)
    house.accepts(new)
    house.accepts(old)


def test_a_key_that_the_issuer_removed_is_refused_when_what_is_held_is_old(house: House) -> None:
    token = house.token("okta")
    house.accepts(token)
    house.provider.publish("okta", new_key("okta-key-2"))
    house.exchange.clock.go_on(HELD_SECONDS - 1)
    house.accepts(token)
    house.exchange.clock.go_on(1)
    house.refuses(token)


def test_a_key_that_changes_under_its_kid_is_not_kept_parsed(house: House) -> None:
    token = house.token("okta")
    house.accepts(token)
    following = new_key("okta-key")
    house.provider.publish("okta", following)
    house.exchange.clock.go_on(HELD_SECONDS)
    house.refuses(token)
    house.accepts(house.token("okta", following))


def test_unknown_kids_are_looked_for_seldom(house: House) -> None:
    house.accepts(house.token("okta"))
    for number in range(10):
        house.refuses(house.token("okta", header={"kid": f"unknown-{number}"}))
    assert house.provider.calls == 1
    house.exchange.clock.go_on(RETRY_SECONDS)
    house.refuses(house.token("okta", header={"kid": "unknown"}))
    assert house.provider.calls == 2


def test_an_issuer_that_is_down_is_401_with_its_reason_and_keys_held_go_on_for_their_time(house: House) -> None:
    held = house.token("okta")
    house.accepts(held)
    house.provider.down = True
    assert_refused(house.call(house.token("entra")), "issuer-unreachable", UNREACHABLE)
    house.accepts(held)
    house.exchange.clock.go_on(HELD_SECONDS)
    assert_refused(house.call(held), "issuer-unreachable", UNREACHABLE)
    house.provider.down = False
    house.exchange.clock.go_on(RETRY_SECONDS)
    house.accepts(held)


def test_while_an_issuer_is_down_a_stranger_learns_nothing_of_who_is_registered(house: House) -> None:
    house.provider.down = True
    known, unknown = house.call(house.token("entra")), house.call(house.token("entra", azp="nobody"))
    assert known.get_json() == unknown.get_json()


# --- registration, and the whole of it


def add(small: SmallExchange, client: str, *options: str, organisation: str = "sierra") -> Any:
    command = ["client", "add", client, "--organisation", organisation, "--scope", "contracts.read", *options]
    return CliRunner().invoke(main, command, env=small.environ)


def test_a_client_registered_by_command_or_api_comes_with_its_issuers_tokens(
    migrated_sqlite_url: str, whole_house: House
) -> None:
    house = whole_house
    house.reset()
    small = SmallExchange(migrated_sqlite_url, settings_changes={"PARLEY_ISSUERS_FILE": str(house.file)})
    small.wiring.__dict__["issuer_keys"] = PublishedKeys(Reach(frozenset({house.provider.host})))
    now = int(small.clock.now().timestamp())

    def ask(shape: str) -> Any:
        token = house.token(shape, iat=now, exp=now + 300)
        return small.app.test_client().get("/v1/contracts", headers={"Authorization": f"Bearer {token}"})

    assert_refused(ask("okta"), "token-invalid")
    named = ("--issuer", house.issuers["okta"], "--subject", CLIENTS["okta"])
    assert add(small, "by-command", *named).exit_code == 0
    assert ask("okta").get_json()["contracts"] == []
    body = {"id": "by-api", "scopes": ["contracts.read"], "issuer": house.issuers["entra"], "subject": CLIENTS["entra"]}
    small.register("overseer", Role.OPERATOR, frozenset(Scope))
    added = small.post("overseer", "/v1/organisations/helix/clients", body)
    assert (added.status_code, added.get_json()) == (201, body)
    assert ask("entra").status_code == 200
    assert verify_books(small.wiring.database).broken == ()
    assert (
        CliRunner().invoke(main, ["client", "revoke", "by-api", "--reason", "left"], env=small.environ).exit_code == 0
    )
    assert_refused(ask("entra"), "token-invalid")
    again = add(small, "again", "--issuer", house.issuers["entra"], "--subject", CLIENTS["entra"])
    assert (again.exit_code, "was revoked, which is final" in again.output) == (1, True)
    with small.wiring.database.reading() as stores:
        registered = [record.act for record in stores.audit.records("organisation:helix", 0, 1000)]
    assert {"issuer": body["issuer"], "issuer_subject": body["subject"]}.items() <= registered[-2].subject.items()


@pytest.fixture
def small_on_each(migrated_url: str) -> Iterator[SmallExchange]:
    exchange = SmallExchange(migrated_url)
    yield exchange
    exchange.wiring.database.close()


def test_one_name_of_an_issuer_is_one_client(small_on_each: SmallExchange) -> None:
    small = small_on_each
    named = ("--issuer", "https://login.sierra.example", "--subject", "loader")
    assert add(small, "first", *named).exit_code == 0
    taken = add(small, "second", *named, organisation="helix")
    assert (taken.exit_code, "registered already, as first" in taken.output) == (1, True)
    assert add(small, "second", "--issuer", "https://login.helix.example", "--subject", "loader").exit_code == 0


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--issuer", "https://login.sierra.example"), "subject"),
        (("--subject", "loader"), "issuer"),
        (("--issuer", "http://login.sierra.example", "--subject", "loader"), "https URL"),
        (("--issuer", "https://login.sierra.example/", "--subject", "a\u200bb"), "printable"),
        (("--issuer", "https://a.example", "--subject", "x", "--jwks-url", "https://a.example/k"), "no jwks_url"),
        ((), "an issuer and a subject"),
    ],
)
def test_half_an_issuer_or_one_beside_keys_is_refused(
    small: SmallExchange, options: tuple[str, ...], code: str
) -> None:
    refused = add(small, "half", *options)
    assert refused.exit_code == 1
    assert code in refused.output
