"""`parley contract verify`: whoever has the file finds what was changed in it, without asking anybody."""

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from adapters.database.tables import signing_keys
from api.auth.keys import new_private_jwk
from api.cli import main
from contracts.canonical import digest_of
from contracts.ledger.verifying import verify_ledgers
from contracts.parties import JsonObject
from contracts.signing import sign
from tests.support.small_exchange import BRAND, CONTRACT, PAYERS, SmallExchange, fills, public, small_contract

PATH = f"/v1/contracts/{CONTRACT}"
ALL = (*PAYERS, BRAND)


def verify(folder: Path, *contracts: JsonObject, keys: dict[str, JsonObject] | None = None) -> Result:
    """Without a variable that could say where an exchange is."""
    words: list[str] = []
    for number, contract in enumerate(contracts):
        (folder / f"contract-{number}.json").write_text(json.dumps(contract))
        words.append(str(folder / f"contract-{number}.json"))
    for name, key in (keys or {}).items():
        (folder / f"{name}.pub.json").write_text(json.dumps(public(key)))
        words += ["--key", f"{name}={folder / f'{name}.pub.json'}"]
    nowhere = {"PARLEY_URL": "http://127.0.0.1:9", "PARLEY_CLIENT_ID": "", "PARLEY_CLIENT_KEY_FILE": ""}
    return CliRunner().invoke(main, ["contract", "verify", *words, "--json"], env=nowhere)


def found(result: Result) -> JsonObject:
    assert isinstance(result.exception, SystemExit | None), result.exception
    return dict(json.loads(result.stdout))


def amended(small: SmallExchange, first: JsonObject, *signers: str) -> JsonObject:
    """A second version, signed by these."""
    document = small_contract(version=2, previous_digest=first["digest"], title="The second version")
    drafted = small.post(BRAND, f"{PATH}/versions", document)
    assert drafted.status_code == 201, drafted.get_json()
    proposed = small.post(BRAND, f"{PATH}/proposal").get_json()
    for name in signers:
        jws = sign(proposed["document"], small.signing_keys[name], f"Ann of {name}", "Privacy Officer")
        assert small.post(name, f"{PATH}/signatures", {"jws": jws}).status_code == 201
    return dict(small.get(BRAND, PATH, version="2").get_json())


def test_a_signed_contract_is_verified_and_what_a_file_cannot_know_is_said(
    small: SmallExchange, tmp_path: Path
) -> None:
    contract = small.agree()

    result = verify(tmp_path, contract)

    told = found(result)
    assert (result.exit_code, told["verified"], told["faults"], told["warnings"]) == (0, True, [], [])
    (version,) = told["versions"]
    assert (version["version"], version["digest"]) == (1, contract["digest"])
    signed = {s["organisation"]: (s["signer_name"], s["signer_title"], s["key_known"]) for s in version["signatures"]}
    assert signed == {name: (f"Ann of {name}", "Privacy Officer", False) for name in ALL}
    assert any("whether the keys are those of" in unknown for unknown in told["unknown"])


def test_with_the_keys_of_all_nothing_is_left_of_that_doubt(small: SmallExchange, tmp_path: Path) -> None:
    told = found(verify(tmp_path, small.agree(), keys=small.signing_keys | {}))
    assert any("foreigner, which has signed nothing" in fault for fault in told["faults"])

    keys = {name: small.signing_keys[name] for name in ALL}
    told = found(verify(tmp_path, dict(small.get(BRAND, PATH).get_json()), keys=keys))

    assert told["verified"]
    assert {s["key_known"] for s in told["versions"][0]["signatures"]} == {True}
    assert not any("whether the keys" in unknown for unknown in told["unknown"])


def test_people_read_who_signed_when_and_in_what_office(small: SmallExchange, tmp_path: Path) -> None:
    contract = small.agree()
    path = tmp_path / "contract.json"
    path.write_text(json.dumps(contract))

    result = CliRunner().invoke(main, ["contract", "verify", str(path)])

    said = " ".join(result.stdout.split())
    assert result.exit_code == 0
    assert f"Signed: sierra, by Ann of sierra, Privacy Officer, on {small.clock.now().date()}, with key" in said
    assert "Every signature fits its document, signer and key" in said
    assert "Not known from here: whether the keys are those of blueridge, helix, lakeshore, sierra" in said


def test_a_signature_that_fails_is_told_as_one_on_its_own_line(small: SmallExchange, tmp_path: Path) -> None:
    contract = small.agree()
    (tmp_path / "contract.json").write_text(json.dumps(contract))
    (tmp_path / "other.json").write_text(json.dumps(public(small.signing_keys["foreigner"])))
    words = ["contract", "verify", str(tmp_path / "contract.json")]
    other_key = CliRunner().invoke(main, [*words, "--key", f"sierra={tmp_path / 'other.json'}"])
    contract["signatures"][0]["signer_name"] = "Somebody else"
    (tmp_path / "contract.json").write_text(json.dumps(contract))
    other_name = CliRunner().invoke(main, words)

    assert (other_key.exit_code, other_name.exit_code) == (1, 1)
    assert "NOT VERIFIED: sierra, by Ann of sierra, Privacy Officer: NOT by the key that you gave" in other_key.stdout
    assert "Signed: sierra" not in other_key.stdout
    assert other_key.stdout.count("Signed: ") == len(ALL) - 1
    whose = contract["signatures"][0]["organisation"]
    assert f"NOT VERIFIED: {whose}, by Somebody else" in other_name.stdout
    assert "does not cover the signer_name that is given" in other_name.stdout
    assert f"Signed: {whose}" not in other_name.stdout


Change = Callable[[JsonObject], None]


def in_signature(**changes: Any) -> Change:
    return lambda contract: contract["signatures"][1].update(changes)


def moved_kid(contract: JsonObject) -> None:
    contract["signatures"][1] |= {
        "kid": "other",
        "public_key": contract["signatures"][1]["public_key"] | {"kid": "other"},
    }


def swapped(contract: JsonObject) -> None:
    """Two organisations trade their signatures, keys and names included."""
    first, second = contract["signatures"][:2]
    first["organisation"], second["organisation"] = second["organisation"], first["organisation"]


def signed_by_other_keys(contract: JsonObject) -> None:
    """As an exchange could: the document changed, and signed for all with keys of its own making."""
    contract["document"]["title"] = "Forged"
    contract["digest"] = digest_of(contract["document"])
    for signature in contract["signatures"]:
        key = new_private_jwk("ES384")
        signature["jws"] = sign(contract["document"], key, signature["signer_name"], signature["signer_title"])
        signature |= {"kid": key["kid"], "public_key": public(key)}


def one_key_for_two(contract: JsonObject) -> None:
    key = new_private_jwk("ES384")
    for signature in contract["signatures"][:2]:
        signature["jws"] = sign(contract["document"], key, signature["signer_name"], signature["signer_title"])
        signature |= {"kid": key["kid"], "public_key": public(key)}


def tampered_title(contract: JsonObject) -> None:
    contract["document"]["title"] = "Another"


def tampered_title_and_digest(contract: JsonObject) -> None:
    tampered_title(contract)
    contract["digest"] = digest_of(contract["document"])


def cut_signature(contract: JsonObject) -> None:
    contract["signatures"][1]["jws"] = contract["signatures"][1]["jws"][:-8] + "AAAAAAAA"


def none_algorithm(contract: JsonObject) -> None:
    contract["signatures"][1]["jws"] = "eyJhbGciOiJub25lIn0..AA"


CHANGES: dict[str, tuple[Change, str]] = {
    "a title": (tampered_title, "its digest is not that of its document"),
    "a title and the digest": (tampered_title_and_digest, "does not fit its document and key"),
    "a signature": (cut_signature, "does not fit its document and key"),
    "alg none": (none_algorithm, "does not fit its document and key"),
    "a signer's name": (in_signature(signer_name="Eve"), "does not cover the signer_name"),
    "a signer's title": (in_signature(signer_title="Intern"), "does not cover the signer_title"),
    "a kid": (in_signature(kid="other"), "does not cover the kid"),
    "a kid, in its key too": (moved_kid, "does not cover the kid"),
    "another key": (in_signature(public_key=public(new_private_jwk("ES384"))), "does not fit its document and key"),
    "a key that is none": (in_signature(public_key={"kty": "EC", "crv": ["P-384"]}), "does not fit"),
    "a signature left out": (lambda contract: contract["signatures"].pop(), "has not signed it"),
    "a signature twice": (lambda contract: contract["signatures"].append(contract["signatures"][0]), "signs it twice"),
    "one key for two": (one_key_for_two, "sign with the same key"),
    "signed after the revocation": (
        in_signature(key_revoked_at="2020-01-01T00:00:00+00:00"),
        "after its key was revoked",
    ),
    "the id": (lambda contract: contract.update(id="dsc-other"), "was altered"),
    "the version": (lambda contract: contract.update(version=2), "was altered"),
    "no digest": (lambda contract: contract.update(digest=None), "is a draft, or was altered"),
    "signatures that are none": (lambda contract: contract.update(signatures=[7]), "not a contract as the exchange"),
    "a date without offset": (in_signature(signed_at="2026-07-01T12:00:00"), "not a contract as the exchange"),
    "a compromise in words": (in_signature(key_compromised="no"), "not a contract as the exchange"),
}


@pytest.fixture(scope="module")
def contract(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> JsonObject:
    path = tmp_path_factory.mktemp("verified") / "parley.db"
    path.write_bytes(sqlite_template.read_bytes())
    small = SmallExchange(f"sqlite:///{path}")
    agreed = small.agree()
    small.wiring.database.close()
    return agreed


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_is_changed_is_found(contract: JsonObject, name: str, tmp_path: Path) -> None:
    change, fault = CHANGES[name]
    changed = deepcopy(contract)
    change(changed)

    result = verify(tmp_path, changed)

    told = found(result)
    assert (result.exit_code, told["verified"]) == (1, False)
    assert any(fault in one for one in told["faults"]), told["faults"]
    assert fault in result.stderr


@pytest.mark.parametrize("change", [signed_by_other_keys, swapped])
def test_keys_of_the_exchanges_own_making_are_found_with_one_key_from_elsewhere(
    small: SmallExchange, change: Change, tmp_path: Path
) -> None:
    """Without it, they cannot be: so it says that whose keys they are is not known."""
    forged = deepcopy(small.agree())
    change(forged)

    alone = found(verify(tmp_path, forged))
    name = forged["signatures"][0]["organisation"]
    pinned = verify(tmp_path, forged, keys={name: small.signing_keys[name]})

    assert alone["verified"]
    assert any("whether the keys are those of" in unknown for unknown in alone["unknown"])
    assert pinned.exit_code == 1
    assert any(f"{name} did not sign it with a key that you gave" in fault for fault in found(pinned)["faults"])


def test_a_chain_of_versions_is_verified_by_the_digests_that_each_names(small: SmallExchange, tmp_path: Path) -> None:
    first = small.agree()
    second = amended(small, first, *ALL)

    both, alone = found(verify(tmp_path, second, first)), found(verify(tmp_path, second))

    assert both["verified"]
    assert [version["version"] for version in both["versions"]] == [1, 2]
    assert both["versions"][1]["previous_digest"] == both["versions"][0]["digest"]
    assert not any("version 1" in unknown for unknown in both["unknown"])
    assert any("what version 1 says" in unknown for unknown in alone["unknown"])


def test_a_version_that_follows_another_one_is_found(small: SmallExchange, tmp_path: Path) -> None:
    first = small.agree()
    second = amended(small, first, *ALL)
    other = deepcopy(first)
    other["document"]["title"] = "What was not agreed"
    other["digest"] = digest_of(other["document"])
    for signature in other["signatures"]:
        key = small.signing_keys[signature["organisation"]]
        signature["jws"] = sign(other["document"], key, signature["signer_name"], signature["signer_title"])

    told = found(verify(tmp_path, other, second))

    assert any("the digest of the version before it is not that of" in fault for fault in told["faults"])


def test_an_amendment_that_not_all_signed_is_not_verified(small: SmallExchange, tmp_path: Path) -> None:
    first = small.agree()
    second = amended(small, first, "sierra", BRAND)

    result = verify(tmp_path, first, second)

    faults = found(result)["faults"]
    assert result.exit_code == 1
    assert [fault for fault in faults if "blueridge has not signed it" in fault]
    assert [fault for fault in faults if "lakeshore has not signed it" in fault]


def test_signatures_of_one_version_do_not_do_for_the_next(small: SmallExchange, tmp_path: Path) -> None:
    first = small.agree()
    second = amended(small, first, *ALL)

    told = found(verify(tmp_path, second | {"signatures": first["signatures"]}))

    assert sum("does not fit its document and key" in fault for fault in told["faults"]) == len(ALL)


def test_versions_of_two_contracts_or_one_twice_are_not_verified_together(small: SmallExchange, tmp_path: Path) -> None:
    first, other = small.agree(), small.agree(small_contract(id="dsc-other"))

    several, twice = verify(tmp_path, first, other), verify(tmp_path, first, first)

    assert (several.exit_code, twice.exit_code) == (1, 1)
    assert "several contracts" in several.stderr
    assert "one version is given twice" in twice.stderr


def test_a_compromised_key_is_a_warning_everywhere_and_the_contract_stays_in_force(
    small: SmallExchange, tmp_path: Path
) -> None:
    small.agree()
    small.clock.go_on(hours=1)
    kid = small.signing_keys["sierra"]["kid"]
    body = {"reason": "stolen", "compromised": True}
    assert small.post("sierra", f"/v1/signing-keys/{kid}/revocation", body).status_code == 200
    contract = dict(small.get(BRAND, PATH).get_json())

    told, ledgers = found(verify(tmp_path, contract)), verify_ledgers(small.wiring.database)

    warning = f"sierra has revoked the key {kid} that signed, as compromised"
    assert told["verified"]
    assert any(warning in one for one in told["warnings"])
    assert ledgers.differences == ()
    assert ledgers.rows is not None
    assert any(warning in one for one in ledgers.rows.warnings)
    assert small.submit("sierra", fills()).status_code == 201


def test_a_signature_of_after_the_revocation_is_found_in_the_database(small: SmallExchange) -> None:
    """As somebody with the database's own rights would put it there."""
    small.agree()
    early = {"revoked_at": small.clock.now() - timedelta(days=1), "revocation_reason": "stolen"}
    engine = sa.create_engine(small.url)
    with engine.begin() as connection:
        connection.execute(sa.update(signing_keys).filter_by(organisation="sierra").values(**early))
    engine.dispose()

    (difference,) = verify_ledgers(small.wiring.database).differences

    assert difference.what == f"contract {CONTRACT} version 1: signature of sierra: signed_at"
    assert "before its key was revoked" in difference.expected


def test_a_key_that_was_only_rotated_is_no_warning(small: SmallExchange, tmp_path: Path) -> None:
    small.agree()
    small.clock.go_on(hours=1)
    kid = small.signing_keys["sierra"]["kid"]
    small.post("sierra", f"/v1/signing-keys/{kid}/revocation", {"reason": "rotated", "compromised": False})

    told = found(verify(tmp_path, dict(small.get(BRAND, PATH).get_json())))

    assert (told["verified"], told["warnings"]) == (True, [])


@pytest.mark.parametrize("pin", ["sierra", "=x.json", "sierra="])
def test_a_key_is_given_with_its_organisation(contract: JsonObject, pin: str, tmp_path: Path) -> None:
    path = tmp_path / "contract.json"
    path.write_text(json.dumps(contract))

    result = CliRunner().invoke(main, ["contract", "verify", str(path), "--key", pin])

    assert result.exit_code == 2
    assert "ORG=FILE" in result.stderr
