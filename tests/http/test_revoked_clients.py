"""A client whose key was stolen is revoked: at once, for ever, and on record."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from adapters.client.tokens import ASSERTION_TYPE, make_client_assertion
from api.auth.keys import new_private_jwk
from api.cli import main
from contracts.audit.verifying import verify_books
from contracts.parties import Role, Scope
from contracts.refusals import ClientRevoked
from tests.http.test_bad_input import assert_problem
from tests.support.small_exchange import SmallExchange, public

OPERATOR = "overseer"
REVOCATION = "/v1/organisations/sierra/clients/sierra-client/revocation"
STOLEN = {"reason": "its key was stolen"}


@pytest.fixture
def small(migrated_url: str) -> Iterator[SmallExchange]:
    exchange = SmallExchange(migrated_url)
    exchange.register(OPERATOR, Role.OPERATOR, frozenset(Scope))
    yield exchange
    exchange.wiring.database.close()


def test_a_revoked_client_gets_no_token_and_its_running_ones_stop_at_once(small: SmallExchange) -> None:
    assert small.get("sierra", "/v1/contracts").status_code == 200

    revoked = small.post(OPERATOR, REVOCATION, STOLEN)

    assert revoked.status_code == 200
    assert revoked.get_json()["revocation_reason"] == "its key was stolen"
    assert_problem(small.get("sierra", "/v1/contracts"), 401, "token-invalid")
    small._tokens.clear()
    with pytest.raises(KeyError, match="access_token"):
        small.token("sierra")
    assert small.get("lakeshore", "/v1/contracts").status_code == 200


def test_the_token_endpoint_says_of_it_what_it_says_of_a_stranger(small: SmallExchange) -> None:
    small.wiring.registering.revoke_client("sierra-client", "stolen")
    url = f"{small.settings.issuer}/oauth/token"
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": make_client_assertion("sierra-client", small.client_keys["sierra"], url, small.clock.now()),
    }

    refused = small.app.test_client().post("/oauth/token", data=form)

    assert refused.status_code == 401
    assert refused.get_json()["error"] == "invalid_client"


def test_a_revocation_is_final_and_its_id_and_keys_are_never_registered_again(small: SmallExchange) -> None:
    assert small.post(OPERATOR, REVOCATION, STOLEN).status_code == 200

    assert_problem(small.post(OPERATOR, REVOCATION, STOLEN), 409, "client-revoked")
    registering, stolen = small.wiring.registering, public(small.client_keys["sierra"])
    renamed = {name: value for name, value in stolen.items() if name != "kid"} | {"kid": "another-name"}
    for organisation, client_id, key in (
        ("sierra", "sierra-client", public(new_private_jwk("ES384"))),
        ("sierra", "sierra-second", stolen),
        ("lakeshore", "lakeshore-second", renamed),
    ):
        with pytest.raises(ClientRevoked):
            registering.add_client(organisation, client_id, frozenset({Scope.CONTRACTS_READ}), (key,))
    registering.add_client(
        "sierra", "sierra-second", frozenset({Scope.CONTRACTS_READ}), (public(new_private_jwk("ES384")),)
    )


def test_the_key_of_a_revoked_client_signs_for_nobody(small: SmallExchange) -> None:
    key = new_private_jwk("ES384")
    small.wiring.registering.add_client("sierra", "sierra-second", frozenset({Scope.CONTRACTS_READ}), (public(key),))
    small.wiring.registering.revoke_client("sierra-second", "stolen")

    with pytest.raises(ClientRevoked):
        small.wiring.registering.add_signing_key("lakeshore", public(key))


def test_the_audit_keeps_who_revoked_it_and_why_and_still_holds(small: SmallExchange) -> None:
    assert small.post(OPERATOR, REVOCATION, STOLEN).status_code == 200

    with small.wiring.database.reading() as stores:
        act = [record.act for record in stores.audit.records("organisation:sierra", 0, 1000)][-1]
    assert (act.action, act.organisation, act.client) == ("client_revoked", OPERATOR, f"{OPERATOR}-client")
    assert act.subject == {"client": "sierra-client", **STOLEN}
    assert verify_books(small.wiring.database).broken == ()


def test_only_the_operator_revokes_and_only_what_is_there(small: SmallExchange) -> None:
    assert small.post("sierra", REVOCATION, STOLEN).status_code == 403
    for path in (REVOCATION.replace("sierra/", "lakeshore/"), REVOCATION.replace("sierra-client", "nobody")):
        assert_problem(small.post(OPERATOR, path, STOLEN), 404, "client-not-found")
    assert_problem(small.post(OPERATOR, REVOCATION, {}), 422, "input-invalid")


def test_the_operator_revokes_at_the_console(small: SmallExchange) -> None:
    def run(*words: str) -> tuple[int, str]:
        ended = CliRunner().invoke(main, ["client", "revoke", *words], env=dict(small.environ))
        return ended.exit_code, ended.output

    code, said = run("sierra-client", "--reason", "stolen")
    assert (code, said) == (0, "Client sierra-client of sierra is revoked: it gets in no more.\n")
    assert_problem(small.get("lakeshore", "/v1/contracts/none"), 404, "contract-not-found")
    assert "client-revoked" in run("sierra-client", "--reason", "stolen")[1]
    assert "client-not-found" in run("nobody", "--reason", "stolen")[1]
