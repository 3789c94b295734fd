"""What the members of schemas mean, for openapi.yaml, where their declarations do not say it themselves.

By noun, as the schemas are; COMMON holds those that mean the same wherever they stand.
"""

from collections.abc import Mapping
from typing import Final

from api.description.meanings import agreeing, answering, entering, recording
from contracts.parties import JsonObject

COMMON: Final = {
    "as_of": "Which measurement of each period was used: `latest`, `first`, `final`, `restatement_1`, ...",
    "by_at_most": "By how many dimensions at once, those filtered and a grain of time included.",
    "charge_nano": "Its loss, in billionths of a rho.",
    "contract_digest": "SHA-256 of the contract document's canonical form (RFC 8785).",
    "contract_id": "The id of the contract.",
    "contract_version": "The version of the contract.",
    "delta": "At which the loss is shown as epsilon; a decimal.",
    "digest": "SHA-256 of the document's canonical form (RFC 8785); null for a draft.",
    "epsilon": "The epsilon that the rho implies at `delta`. Never add epsilons: add rho.",
    "feed": "The name of the feed.",
    "figure": "What the figure is, such as a measure or `adherence_rate`.",
    "generation": "Digest of what the loss of the feed rests on: its schema, bounds, k and plan.",
    "grain": "How long a period is.",
    "keys": "Public JWKs, each with its `kid`.",
    "kid": "The id of the key.",
    "margin": "The dimensions that it goes by; empty for the total.",
    "measure": "The name of the measure.",
    "needs": "What a feed must have for it.",
    "one_person_in_everything": "One person in every population of the contract, at the signed ceilings.",
    "organisation": "The id of the organisation.",
    "period": "`2025-03`, `2025-Q1` or `2025`, by the grain of the feed.",
    "population": "The id of the population.",
    "provider": "Who posts it.",
    "providers": "How many organisations post it.",
    "provisional": "Late records may still be missing: the run-out of the period is not over.",
    "public_key": "A public JWK (RFC 7517).",
    "reason": "Why, in words; kept for ever.",
    "release_id": "The id of the stored release.",
    "released_at": "When it was released.",
    "restatement": "0 for the first measurement of the period; 1, 2, ... for scheduled restatements.",
    "revocation_reason": "Why it was revoked.",
    "revoked_at": "When it was revoked.",
    "rho": "A decimal of rho, such as `0.05`.",
    "rho_nano": "The same in billionths of a rho, exactly.",
    "several_providers": "What holds for a person who is in the data of several providers, in words.",
    "sigma": "Scale of the noise: of a discrete Gaussian; a decimal.",
    "status": "Where the contract stands.",
    "submission_id": "The id that the client made for the submission.",
    "variance": "Variance of its noise.",
    "sd": "Standard deviation of its noise.",
}
_BY_SCHEMA: Final = agreeing.MEANINGS | answering.MEANINGS | entering.MEANINGS | recording.MEANINGS


def explain_members(schemas: JsonObject, docstrings: Mapping[str, str]) -> None:
    """Describe each schema by the docstring of its class, and its members where they are not described yet.

    Raises ValueError for a meaning of what is not there: it would be a description of something else some day.
    """
    for name, schema in schemas.items():
        if "description" not in schema and name in docstrings:
            schema = schemas[name] = {"description": " ".join(docstrings[name].split()), **schema}
        for member, said in schema.get("properties", {}).items():
            text = _BY_SCHEMA.get(name, {}).get(member) or COMMON.get(member)
            if text is not None:
                said.setdefault("description", text)
    stale = {
        f"{name}.{member}"
        for name, meanings in _BY_SCHEMA.items()
        for member, text in meanings.items()
        if schemas.get(name, {}).get("properties", {}).get(member, {}).get("description") != text
    }
    if stale:
        raise ValueError(f"meanings of what is not there, or says it itself: {sorted(stale)}")
