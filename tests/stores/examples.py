"""Values to store. Each test changes what it is about with `dataclasses.replace`."""

from datetime import UTC, datetime, timedelta

from contracts.ledger.entries import Entry, EntryKind
from contracts.parties import Client, Organisation, Population, Role, Scope, SigningKey
from contracts.records import (
    ContractEvent,
    ContractRecord,
    EventKind,
    PopulationEvent,
    ReleaseRecord,
    Signature,
    Stage,
    SubmissionRecord,
)

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
PUBLIC_KEY = {
    "kty": "EC",
    "crv": "P-384",
    "x": "d4RppOK8gUZnsExkGIfhf8x92WanWy2nMI_0-I2dfFzoHSBLWUqW-GI2Aaz5GHhD",
    "y": "89KB5DFk34mP1-6L4LxY5P9nNBdLSSS7Avt2xOtis0zIEzUiwJJOSqqJnmiaQAvQ",
}

PAYER = Organisation("blueridge", "Blue Ridge Health", Role.PAYER, NOW)
BRAND = Organisation("helix", "Helix Pharma", Role.BRAND, NOW)
POPULATION = Population("blueridge-members", PAYER.id, None, NOW)
CLIENT = Client(
    "blueridge-loader",
    PAYER.id,
    frozenset({Scope.SUBMISSIONS_WRITE, Scope.CONTRACTS_READ}),
    (PUBLIC_KEY, PUBLIC_KEY | {"kid": "second"}),
    NOW,
)
SIGNING_KEY = SigningKey("officer-2026", PAYER.id, PUBLIC_KEY, NOW)

DOCUMENT = {
    "title": "Adherence, a study of Ångström & Łódź",
    "parties": [
        {"organisation": PAYER.id, "role": "payer", "population": POPULATION.id},
        {"organisation": BRAND.id, "role": "brand", "population": "helix-patients"},
    ],
}
DRAFT = ContractRecord("dsc-helixor", 1, Stage.DRAFT, DOCUMENT, None, BRAND.id, NOW)
PROPOSED = ContractRecord(
    DRAFT.id, 1, Stage.PROPOSED, DOCUMENT | {"plan": {"charge_nano": 5}}, "ab" * 32, BRAND.id, NOW, LATER
)
SIGNATURE = Signature(PAYER.id, "officer-2026", PUBLIC_KEY, "head..tail", "Ana Ruiz", "Privacy officer", NOW)

SUBMISSION = SubmissionRecord("sub-1", DRAFT.id, 1, "fills", PAYER.id, POPULATION.id, "2025-01", 0, 1, LATER, NOW)
GRANT = Entry(
    "entry-1",
    POPULATION.id,
    1,
    EntryKind.GRANT,
    charge_nano=0,
    increment_nano=0,
    granted_nano=100_000_000,
    spent_nano=0,
    contract_id=None,
    contract_version=None,
    feed=None,
    period=None,
    generation=None,
    restatement=None,
    submission_id=None,
    attempt=None,
    event={"reason": "the contract's ceiling"},
    recorded_at=NOW,
)
DEBIT = Entry(
    "entry-2",
    POPULATION.id,
    2,
    EntryKind.DEBIT,
    charge_nano=2_083_333,
    increment_nano=2_083_333,
    granted_nano=100_000_000,
    spent_nano=2_083_333,
    contract_id=DRAFT.id,
    contract_version=1,
    feed="fills",
    period="2025-01",
    generation="ef" * 32,
    restatement=0,
    submission_id=SUBMISSION.id,
    attempt=1,
    event={"relation": "add_or_remove", "draws": [{"margin": ["region"], "sigma": "31.5"}]},
    recorded_at=LATER,
)
CONTRACT_EVENT = ContractEvent(DRAFT.id, 1, 1, EventKind.SUSPENDED, PAYER.id, CLIENT.id, "a breach", LATER)
POPULATION_EVENT = PopulationEvent(POPULATION.id, 1, EventKind.SUSPENDED, PAYER.id, CLIENT.id, "a breach", LATER)
RELEASE = ReleaseRecord(
    "rel-1",
    SUBMISSION.id,
    DEBIT.id,
    DRAFT.id,
    1,
    "fills",
    PAYER.id,
    POPULATION.id,
    "2025-01",
    restatement=0,
    measured="exchange",
    block_sha256="cd" * 32,
    provisional=True,
    released_at=LATER,
)
BLOCK = b"\x00\xffnoise"
