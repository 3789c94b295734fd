"""The terms of a contract as the domain reads them. The document itself is what parties sign.

`read_terms` expects a document whose form (names, types) the door has already checked; whether it makes sense is
decided in `contracts.drafting`.
"""

from contracts.terms.clauses import (
    MIN_PAYERS_DEFAULT,
    DimensionRollup,
    Party,
    PrivacyTerms,
    PrivacyUnit,
    Rollout,
    Rules,
    Settlement,
    Standard,
)
from contracts.terms.document import ContractAltered, Terms, read_terms, repeated, terms_of
from contracts.terms.feeds import (
    FeedTerms,
    LifeTable,
    Linked,
    Measured,
    MeasureTerms,
    read_feed,
    write_draws,
    write_plan,
)

__all__ = [
    "MIN_PAYERS_DEFAULT",
    "ContractAltered",
    "DimensionRollup",
    "FeedTerms",
    "LifeTable",
    "Linked",
    "MeasureTerms",
    "Measured",
    "Party",
    "PrivacyTerms",
    "PrivacyUnit",
    "Rollout",
    "Rules",
    "Settlement",
    "Standard",
    "Terms",
    "read_feed",
    "read_terms",
    "repeated",
    "terms_of",
    "write_draws",
    "write_plan",
]
