"""Ed25519 keys under which one signature fits every text are no keys (RFC 8032; the points are reckoned here anew)."""

import base64
import json
from datetime import UTC, datetime

import pytest

from api.auth.keys import new_private_jwk
from contracts.canonical import digest_of
from contracts.parties import JsonObject
from contracts.public_keys import public_jwk, signing_jwk
from contracts.records import ContractRecord, Signature, Stage
from contracts.refusals import RegistrationInvalid, SignatureInvalid
from contracts.signing import verify
from contracts.verifying_contract import signature_faults
from tests.support.small_exchange import public

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def add(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """RFC 8032, section 5.1.4, in affine coordinates."""
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2
    return (
        (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P,
    )


def x_of(y: int) -> int | None:
    """One of the two, if y is that of a point."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    root = pow(square, (P + 3) // 8, P)
    return next((x for x in (root, root * pow(2, (P - 1) // 4, P) % P) if x * x % P == square), None)


def small_points() -> set[tuple[int, int]]:
    """Any point, times the large prime order, is of small order; enough of them give all eight."""
    found = set()
    for y in range(2, 60):
        x = x_of(y)
        if x is not None:
            point, times, result = (x, y), 2**252 + 27742317777372353535851937790883648493, (0, 1)
            while times:
                result = add(result, point) if times % 2 else result
                point, times = add(point, point), times // 2
            found.add(result)
    return found


def jwk_of(encoded: int) -> JsonObject:
    text = base64.urlsafe_b64encode(encoded.to_bytes(32, "little")).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "x": text, "kid": "weak"}


POINTS = small_points()
ENCODINGS = sorted(
    {y + sign * 2**255 for _, y in POINTS for sign in (0, 1)}
    | {P + low + sign * 2**255 for low in range(19) for sign in (0, 1)}
)


def test_there_are_eight_such_points() -> None:
    assert len(POINTS) == 8


@pytest.mark.parametrize("encoded", ENCODINGS, ids=hex)
def test_neither_a_point_of_small_order_nor_one_written_otherwise_is_registered(encoded: int) -> None:
    for register in (public_jwk, signing_jwk):
        with pytest.raises(RegistrationInvalid) as refused:
            register(jwk_of(encoded), "/public_key")
        assert refused.value.faults[0].code == "key_not_usable"


def test_other_keys_are_registered() -> None:
    for _ in range(20):
        key = public(new_private_jwk("Ed25519"))
        assert signing_jwk(key, "/public_key") == key


def test_the_signature_that_fits_everything_fits_nothing_here() -> None:
    weak = jwk_of(1)
    head = {"alg": "Ed25519", "kid": "weak", "signer_name": "A", "signer_title": "B"}
    header = base64.urlsafe_b64encode(json.dumps(head).encode()).rstrip(b"=").decode()
    jws = f"{header}..{base64.urlsafe_b64encode((1).to_bytes(64, 'little')).rstrip(b'=').decode()}"
    now = datetime(2026, 1, 1, tzinfo=UTC)
    signature = Signature("sierra", "weak", weak, jws, "A", "B", now)
    for document in ({"a": 1}, {"b": "other"}):
        with pytest.raises(SignatureInvalid):
            verify(document, jws, weak)
        record = ContractRecord(
            "c", 1, Stage.PROPOSED, document, digest_of(document), "sierra", now, signatures=(signature,)
        )
        assert [*signature_faults(record)] == [
            "the signature of sierra is by a key under which one fits every document"
        ]
