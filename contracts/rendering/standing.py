"""Where a contract stands, as it is told beside its document."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Signed:
    """One signature in words. key: which of the organisation's keys made it, and whether it was revoked since."""

    organisation: str
    signer_name: str
    signer_title: str
    signed_at: str
    key: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Instants are texts, in UTC. events: what happened to the contract, in words and in order."""

    status: str
    drafted_by: str
    drafted_at: str
    proposed_at: str | None
    waiting_for: tuple[str, ...]
    signatures: tuple[Signed, ...]
    versions: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    suspended_populations: tuple[str, ...] = ()


def read_standing(contract: Mapping[str, Any]) -> Standing:
    """From a contract as the exchange answers it. Raises ValueError, TypeError or KeyError for anything else."""
    proposed_at = contract["proposed_at"]
    return Standing(
        status=str(contract["status"]),
        drafted_by=str(contract["drafted_by"]),
        drafted_at=_instant(contract["drafted_at"]),
        proposed_at=None if proposed_at is None else _instant(proposed_at),
        waiting_for=tuple(map(str, contract["waiting_for"])),
        signatures=tuple(_signed(signature) for signature in contract["signatures"]),
        versions=tuple(f"{each['version']} {words_of(each['status'])}" for each in contract.get("versions", ())),
        events=tuple(_event(event) for event in contract.get("events", ())),
        suspended_populations=tuple(map(str, contract.get("suspended_populations", ()))),
    )


def words_of(code: object) -> str:
    return str(code).replace("_", " ")


def _event(event: Mapping[str, Any]) -> str:
    """Who did what, when and why; without an organisation it was the operator."""
    who, reason = event["organisation"] or "the operator", event.get("reason")
    said = f"{words_of(event['kind'])} by {who}, {_instant(event['recorded_at'])}"
    return f"{said}: {reason}" if reason else said


def _signed(signature: Mapping[str, Any]) -> Signed:
    return Signed(
        organisation=str(signature["organisation"]),
        signer_name=str(signature["signer_name"]),
        signer_title=str(signature["signer_title"]),
        signed_at=_instant(signature["signed_at"]),
        key=_key(signature),
    )


def _key(signature: Mapping[str, Any]) -> str:
    kid, revoked_at = str(signature["kid"]), signature.get("key_revoked_at")
    if revoked_at is None:
        return kid
    others = "; somebody else may have had it" if signature.get("key_compromised") else ""
    return f"{kid}, revoked {_instant(revoked_at)}{others}"


def _instant(at: datetime | str) -> str:
    """To the second."""
    instant = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"
