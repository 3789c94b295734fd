"""Receipts from a party's side: is it genuine, does it fit what lies beside it, and what does it say?"""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from api.auth.jose import KeyUnsuitable, TokenUnreadable
from api.auth.keys import RECEIPT_TYPE, ReceiptReader
from api.cli.answer_numbers import confidence_text, ends_text, value_text
from api.cli.files import read_file, read_json
from api.cli.output import Failure, say, say_paragraph
from contracts.parties import JsonObject
from contracts.receipts import SIGNED, ReceiptKind, answer_digest, misread, other_contract
from privacy.units import rho_text

MAX_LENGTH = 1 << 16


@dataclass(frozen=True, slots=True)
class Found:
    """A receipt in a file: the JWS, and the JSON around it, if any."""

    signed: str
    around: JsonObject | None


def read_receipt_file(path: Path) -> Found:
    """What `parley submit --json` or `parley ask --receipt` wrote, or the bare JWS. Raises Failure."""
    text = read_file(path).strip()
    if not text.startswith(b"{"):
        return Found(text.decode("ascii", errors="replace"), None)
    around = read_json(path, fractions=True)
    signed = around.get(SIGNED)
    if not isinstance(signed, str):
        raise Failure(f"{path} holds no receipt: it has no {SIGNED}.")
    return Found(signed, around)


def require_keys(published: Any, where: str) -> JsonObject:
    """What `parley receipt keys` saved. Raises Failure."""
    if not isinstance(published, dict) or not isinstance(published.get("issuer"), str):
        raise Failure(f"{where} holds no receipt keys with their issuer: save them with `parley receipt keys`.")
    return published


def verify_signed(signed: str, published: JsonObject) -> tuple[str, JsonObject]:
    """The id of the key, and what was signed. Raises Failure: whatever is not proved is refused."""
    try:
        reader = ReceiptReader.from_json(json.dumps({"keys": published.get("keys")}))
    except KeyUnsuitable as unsuitable:
        raise Failure(f"The receipt keys cannot be used: {unsuitable}") from None
    try:
        payload = reader.read(signed) if len(signed) <= MAX_LENGTH else None
    except TokenUnreadable:
        payload = None
    if payload is None:
        raise Failure(f"The receipt is not genuine: {_why_not(signed, published)}.")
    if payload.get("iss") != published["issuer"]:
        raise Failure(f"The receipt is not genuine: it names another issuer than {published['issuer']}.")
    if payload.get("kind") not in [*ReceiptKind]:
        raise Failure("The receipt is of a kind that this version does not know.")
    return str(_header(signed).get("kid")), payload


def check_around(found: Found, payload: JsonObject) -> str | None:
    """What was compared, or None for a bare JWS. Raises Failure when the readable part says something else."""
    if found.around is None:
        return None
    if payload["kind"] == ReceiptKind.ANSWER:
        return check_answer(found.around, payload)
    if names := misread(payload, found.around):
        raise Failure(f"The file was altered: what it shows of {', '.join(names)} is not what was signed.")
    return "what the file shows is what was signed"


def check_answer(answer: Any, payload: JsonObject) -> str:
    """Raises Failure."""
    if payload["kind"] != ReceiptKind.ANSWER:
        raise Failure("This is no receipt of an answer.")
    try:
        fits = isinstance(answer, dict) and answer_digest(answer) == payload["answer_sha256"]
    except (ValueError, RecursionError):
        fits = False
    if not fits:
        raise Failure("The answer is not the one that was signed: its digest is another.")
    return "the answer is the one that was signed"


def check_contract(contract: Any, payload: JsonObject) -> str:
    """contract: what `parley contract show --json` printed, or its document alone. Raises Failure."""
    if payload["kind"] == ReceiptKind.AUDIT_HEAD:
        raise Failure("The receipt of a book's head names no contract version.")
    document = contract.get("document", contract) if isinstance(contract, dict) else None
    try:
        others = other_contract(payload, document) if isinstance(document, dict) else ["contract_digest"]
    except (ValueError, TypeError, RecursionError):
        others = ["contract_digest"]
    if others:
        raise Failure(f"The contract is not the one of the receipt: it has another {', '.join(others)}.")
    return "the contract is the one that the receipt names"


def say_verified(kid: str, payload: JsonObject, checked: Iterable[str]) -> None:
    """What is proved, in words."""
    at = datetime.fromtimestamp(payload["iat"], UTC)
    say(f"Genuine: {payload['iss']} signed it with the key {kid}, dated {at:%Y-%m-%d %H:%M:%S} UTC.")
    match payload["kind"]:
        case ReceiptKind.SUBMISSION:
            _say_submission(payload)
        case ReceiptKind.ANSWER:
            _say_answer(payload)
        case ReceiptKind.SETTLEMENT:
            say_settlement(payload)
            say(f"Releases: {', '.join(payload['releases'])}")
            _say_contract(payload)
        case _:
            say(f"Book:     {payload['book']} ended with record {payload['sequence']}")
            say(f"Hash:     {payload['hash']}")
    for what in checked:
        say(f"Checked:  {what}")


def _say_submission(payload: JsonObject) -> None:
    restated = f", restatement {payload['restatement']}" if payload["restatement"] else ""
    ledger = payload["ledger"]
    say(f"Release:  {payload['release_id']} of submission {payload['submission_id']}")
    say(f"Period:   {payload['feed']} {payload['period']}{restated} of {payload['provider']}")
    say(f"Block:    {payload['block_sha256']} (SHA-256 of the noisy release)")
    _say_contract(payload)
    say(f"Charged:  rho {rho_text(payload['charged_nano'])}")
    say(f"Debited:  rho {rho_text(payload['debited_nano'])}, of {payload['population']}")
    if linked := payload.get("linked"):
        say(f"Linked:   charged to {linked['population']} too, rho {rho_text(linked['charged_nano'])}")
    say(
        f"Ledger:   entry {ledger['sequence']} ({ledger['entry_id']}); rho {rho_text(ledger['spent_nano'])} was lost "
        f"after it, of {rho_text(ledger['granted_nano'])} granted"
    )


def _say_answer(payload: JsonObject) -> None:
    asked = {name: value for name, value in payload["question"].items() if value}
    say(f"Answer:   {payload['statistic']} as of {payload['as_of']}, given to {payload['organisation']}")
    say(f"Question: {json.dumps(asked)}")
    say(f"Digest:   {payload['answer_sha256']} (SHA-256 of the answer's RFC 8785 form)")
    say(f"Releases: {', '.join(payload['releases'])}")
    _say_contract(payload)


def say_settlement(statement: JsonObject) -> None:
    """What it comes to, in words; also of a receipt's payload, which says the same."""
    clause = f"{statement['statistic']} over {statement['period']} of at least {statement['target']}"
    say(f"Settled:  {clause}: {_outcome(statement)}")
    if statement["rate"] is not None and statement["interval"] is not None:
        rate = {"value": statement["rate"], "interval": statement["interval"], "unit": "share"}
        percent = f"{statement['interval_confidence'] * 100:g}%"
        say(f"Rate:     {value_text(rate)}, {percent} interval {ends_text(rate['interval'], rate)}")
    if statement["confidence"] is not None:
        say(f"Confidence that the rate is at least the target: {confidence_text(statement['confidence'])}")
    met_from = statement["decide_at"]
    rule = f"met from a confidence of {met_from} on, not met at {1 - Decimal(met_from)} or less"
    say_paragraph(f"Rule:     {rule}, between them undecided: {statement['undecided']}")


def _outcome(statement: JsonObject) -> str:
    match statement["outcome"]:
        case None:
            return f"not shown ({statement['state']} by the contract's small-cell rule)"
        case "undecided":
            return f"undecided, and then the contract says: {statement['undecided']}"
        case outcome:
            return str(outcome).replace("_", " ")


def _say_contract(payload: JsonObject) -> None:
    say(f"Contract: {payload['contract_id']}, version {payload['contract_version']}, {payload['contract_digest']}")


def _why_not(signed: str, published: JsonObject) -> str:
    """The likeliest reason, for people; nothing of the header is believed."""
    header = _header(signed)
    if header.get("typ") != RECEIPT_TYPE:
        return f"it is no JWS of the type {RECEIPT_TYPE}"
    if header.get("kid") not in [key.get("kid") for key in published["keys"]]:
        return "it names a key that is not among these; save the keys anew if they were rotated"
    return "its signature does not fit"


def _header(signed: str) -> JsonObject:
    part = signed.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}
