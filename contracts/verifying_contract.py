"""`parley contract verify`: a contract as the exchange answers it, checked without asking anybody.

Every signature covers the whole document and its signer's name and title, and each document the digest of the version
before it. What no file can show by itself is whose the keys are: an exchange that wanted to deceive could sign for
everybody with keys of its own making. So whoever checks brings what is known from elsewhere, an organisation's public
key; and the dates of signing and of revocation stay the exchange's word.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from contracts.canonical import digest_of
from contracts.lifecycle import waiting_for
from contracts.parties import JsonObject
from contracts.records import ContractRecord, History, Signature, Stage
from contracts.refusals import SignatureInvalid
from contracts.signing import find_thumbprint, is_weak, verify
from contracts.terms import terms_of

# Public signing keys (JWK) by organisation, known from elsewhere than the file.
Pins = Mapping[str, Sequence[JsonObject]]


class NotAContract(ValueError):
    """What was given is not a proposed contract as an exchange answers it, or not the one that its digest names."""


@dataclass(frozen=True, slots=True)
class VerifiedContract:
    """What was found of one contract. versions: oldest first.

    faults: why it must not be relied on. warnings: what holds, and somebody should think about. unknown: what these
    files cannot show. pinned: the organisations whose every signature was made with a key that was brought along.
    failing: what is wrong with a signature by itself, by version and organisation.
    """

    versions: tuple[ContractRecord, ...]
    faults: tuple[str, ...]
    warnings: tuple[str, ...]
    unknown: tuple[str, ...]
    pinned: frozenset[str]
    failing: Mapping[tuple[int, str], str]


def verify_contract(answers: Sequence[JsonObject], pins: Pins) -> VerifiedContract:
    """answers: one or more versions of one contract, in any order. Raises NotAContract."""
    records = tuple(sorted(map(read_contract, answers), key=lambda record: record.version))
    if len({record.id for record in records}) > 1:
        raise NotAContract("these are versions of several contracts; verify one at a time")
    if len({record.version for record in records}) < len(records):
        raise NotAContract("one version is given twice")
    history = History(records)
    faults = [
        *(f"{_named(record)}: {fault}" for record in records for fault in signature_faults(record)),
        *_unsigned(history),
        *_shared_keys(records),
        *_broken_links(records),
        *_other_keys(records, pins),
    ]
    signers = {signature.organisation for record in records for signature in record.signatures}
    return VerifiedContract(
        records,
        tuple(faults),
        (*_overtaken(history), *(doubt for record in records for doubt in doubts(record))),
        tuple(_unknown(records, signers - pins.keys())),
        frozenset(signers & pins.keys()) if not faults else frozenset(),
        {at: fault for record in records for at, fault in _failing(record, pins)},
    )


def read_contract(answer: JsonObject) -> ContractRecord:
    """One version, whose digest is that of its document. Its signatures are not believed yet. Raises NotAContract."""
    try:
        record = ContractRecord(
            answer["id"],
            answer["version"],
            Stage.PROPOSED,
            answer["document"],
            answer["digest"],
            answer["drafted_by"],
            datetime.fromisoformat(answer["drafted_at"]),
            signatures=tuple(map(_read_signature, answer["signatures"])),
        )
        altered = digest_of(record.document) != record.digest
        if not altered:
            terms = terms_of(record)
            altered = (record.id, record.version) != (terms.id, terms.version)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        raise NotAContract("this is not a contract as the exchange answers it") from None
    if altered:
        raise NotAContract("its digest is not that of its document: it is a draft, or was altered")
    return record


def signature_faults(record: ContractRecord) -> Iterator[str]:
    """What is wrong with the signatures, by the keys that stand beside them."""
    for signature in record.signatures:
        for fault in _faults_of(signature, record.document):
            yield f"the signature of {signature.organisation} {fault}"


def _faults_of(signature: Signature, document: JsonObject) -> Iterator[str]:
    try:
        signed_by = verify(document, signature.jws, signature.public_key)
    except SignatureInvalid:
        yield _why_not_fitting(signature)
        return
    for name in ("kid", "signer_name", "signer_title"):
        if getattr(signature, name) != getattr(signed_by, name):
            yield f"does not cover the {name} that is given"
    if signature.public_key.get("kid", signature.kid) != signature.kid:
        yield "bears another kid than its key"
    if signature.key_revoked_at is not None and signature.signed_at > signature.key_revoked_at:
        yield f"was made after its key was revoked, at {signature.key_revoked_at.isoformat()}"


def _failing(record: ContractRecord, pins: Pins) -> Iterator[tuple[tuple[int, str], str]]:
    """The first thing that is wrong with each signature that is not to be relied on."""
    for signature in record.signatures:
        fault = next(_faults_of(signature, record.document), None)
        if fault is None and not _is_by_known_key(signature, pins):
            fault = "NOT by the key that you gave"
        if fault is not None:
            yield (record.version, signature.organisation), fault


def _is_by_known_key(signature: Signature, pins: Pins) -> bool:
    """Nothing speaks against a key of whom none is known."""
    known = {find_thumbprint(key) for key in pins.get(signature.organisation, ())} - {None}
    return signature.organisation not in pins or find_thumbprint(signature.public_key) in known


def _why_not_fitting(signature: Signature) -> str:
    try:
        weak = is_weak(signature.public_key)
    except ValueError:
        weak = False
    return "is by a key under which one fits every document" if weak else "does not fit its document and key"


def doubts(record: ContractRecord) -> Iterator[str]:
    """Signatures that stand, and that somebody else may have made."""
    for signature in record.signatures:
        if signature.key_compromised:
            yield f"{_named(record)}: {doubt_text(signature.organisation, signature.kid)}"


def doubt_text(organisation: str, kid: str) -> str:
    return (
        f"{organisation} has revoked the key {kid} that signed, as compromised: somebody else may have signed. What is "
        "in force stays so until a party suspends it"
    )


def _read_signature(found: JsonObject) -> Signature:
    names = ("organisation", "kid", "public_key", "jws", "signer_name", "signer_title")
    texts: JsonObject = {name: found[name] for name in names}
    revoked_at, compromised = found.get("key_revoked_at"), found.get("key_compromised", False)
    if not isinstance(texts["public_key"], dict) or not isinstance(compromised, bool):
        raise TypeError
    if not all(isinstance(value, str) for name, value in texts.items() if name != "public_key"):
        raise TypeError
    return Signature(
        **texts,
        signed_at=_instant(found["signed_at"]),
        key_revoked_at=None if revoked_at is None else _instant(revoked_at),
        key_compromised=compromised,
    )


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("an instant names its offset from UTC")
    return instant


def _unsigned(history: History) -> Iterator[str]:
    """Of the newest version: an older one that not all signed never bound anybody."""
    newest = history.versions[-1]
    for name in waiting_for(history, newest):
        yield f"{_named(newest)}: {name} has not signed it"
    for record in history.versions:
        signers = [signature.organisation for signature in record.signatures]
        if len(set(signers)) < len(signers):
            yield f"{_named(record)}: an organisation signs it twice"


def _shared_keys(records: Sequence[ContractRecord]) -> Iterator[str]:
    """Whoever holds a key signs for one organisation only."""
    holders: dict[str, str] = {}
    for record in records:
        for signature in record.signatures:
            key = find_thumbprint(signature.public_key)
            holder = holders.setdefault(key, signature.organisation) if key else signature.organisation
            if holder != signature.organisation:
                yield f"{_named(record)}: {signature.organisation} and {holder} sign with the same key"


def _broken_links(records: Sequence[ContractRecord]) -> Iterator[str]:
    first = records[0]
    if first.version == 1 and first.document.get("previous_digest") is not None:
        yield f"{_named(first)}: it names a version before it"
    for before, record in pairwise(records):
        if record.version == before.version + 1 and record.document.get("previous_digest") != before.digest:
            yield f"{_named(record)}: the digest of the version before it is not that of {_named(before)}"


def _other_keys(records: Sequence[ContractRecord], pins: Pins) -> Iterator[str]:
    unused = set(pins)
    for record in records:
        for signature in record.signatures:
            unused.discard(signature.organisation)
            if not _is_by_known_key(signature, pins):
                yield f"{_named(record)}: {signature.organisation} did not sign it with a key that you gave"
    for name in sorted(unused):
        yield f"you gave a key of {name}, which has signed nothing here"


def _overtaken(history: History) -> Iterator[str]:
    for record in history.versions[:-1]:
        if missing := waiting_for(history, record):
            yield f"{_named(record)}: {', '.join(missing)} has not signed it, so it has never bound anybody"


def _unknown(records: Sequence[ContractRecord], unpinned: set[str]) -> Iterator[str]:
    if unpinned:
        yield (
            f"whether the keys are those of {', '.join(sorted(unpinned))}: the file itself brings them along; compare "
            "them with keys that you have from these organisations themselves"
        )
    given = {record.version for record in records}
    for record in records:
        if record.version > 1 and record.version - 1 not in given:
            yield (
                f"what version {record.version - 1} says, and whether somebody was written out of it without signing: "
                "verify it together with this one"
            )
    yield "when it was signed, and whether it is in force, suspended or terminated today: that is the exchange's word"


def _named(record: ContractRecord) -> str:
    return f"{record.id} version {record.version}"
