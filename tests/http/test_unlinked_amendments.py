"""An amendment does not drop the link of a feed, whenever the version that names it came to be signed."""

from copy import deepcopy

from contracts.parties import JsonObject
from tests.http.test_bad_input import assert_problem
from tests.support.amending import PATH, done, following, propose_next, sign_version
from tests.support.linked_contract import linked_contract
from tests.support.small_exchange import BRAND, SmallExchange

AT = ("contract-invalid", "/feeds/0/dimensions/1", "linked_dimension_unlinked")


def unlinked(document: JsonObject) -> JsonObject:
    found = deepcopy(document)
    found["feeds"][0] |= {"link": "none"}
    found["feeds"][0].pop("linked", None)
    return found


def test_an_amendment_that_drops_the_link_is_refused(migrated_sqlite_url: str) -> None:
    small = SmallExchange(migrated_sqlite_url)
    small.agree(linked_contract())

    assert_problem(small.post(BRAND, f"{PATH}/versions", unlinked(following(small))), 422, *AT)


def test_a_draft_from_before_the_link_was_signed_is_not_proposed_after_it(migrated_sqlite_url: str) -> None:
    small = SmallExchange(migrated_sqlite_url)
    small.agree(unlinked(linked_contract()))
    with_link = following(small)
    with_link["feeds"][0] |= {key: linked_contract()["feeds"][0][key] for key in ("link", "linked")}
    waiting = propose_next(small, with_link)["waiting_for"]
    done(small.post(BRAND, f"{PATH}/versions", unlinked(following(small, version=2))))
    for signer in waiting:
        done(sign_version(small, signer, 2))

    assert_problem(small.post(BRAND, f"{PATH}/proposal"), 422, *AT)
