"""Statistics: answers, what they rest on, and what may be asked."""

from typing import Final

_COVERAGE: Final = {
    "asked": "The periods that were asked for.",
    "covered": "Those that are open to you: enough providers have posted them.",
    "missing": "Those that are not.",
    "provisional": "Those covered in which late records may still be missing.",
    "providers": "How many providers post this feed.",
    "providers_fewest": "The fewest that are pooled in a period covered.",
    "providers_most": "The most that are pooled in a period covered.",
    "rests_on": "Each period covered, with what is pooled in it.",
}
_KEY: Final = "The stratum, dimension by dimension; empty for the total."

MEANINGS: Final[dict[str, dict[str, str]]] = {
    "Answer": {
        "statistic": "The name of the statistic.",
        "estimand": "What is estimated, in words.",
        "confidence": "How often the intervals hold what they cover.",
        "interval_covers": "What `interval` of a row covers, in words.",
        "total_interval_covers": "What `total_interval` of a row covers, in words; null where there is none.",
        "labels": "How the figures relate to persons; show them beside the figures.",
        "notes": "What to know before using it, in words.",
        "coverage": "Which periods it rests on, feed by feed.",
        "releases": "Ids of the releases that it rests on.",
        "rows": "One figure of one stratum each.",
        "privacy": "What the releases may cost a person.",
    },
    "Row": {
        "key": _KEY,
        "unit": "The unit of `value` and of the intervals.",
        "state": "Whether a value is shown; suppressed, missing and zero are three different things.",
        "value": "The estimate; null unless it is shown.",
        "interval": "For the noise alone; null where nothing is shown.",
        "total_interval": "For noise and sampling; null where the cells do not identify it.",
        "flags": "What to know of this row before using it.",
    },
    "Ends": {"lower": "The lower end; null where only an upper limit is identified.", "upper": "The upper end."},
    "Coverage": _COVERAGE,
    "FeedCoverage": _COVERAGE | {"own_releases": "Releases of your own that are on this page."},
    "CoveredPeriod": {
        "providers": "How many providers are pooled in it.",
        "restatements": "Which measurements of it are used: 0 the first, 1, 2, ... restatements.",
    },
    "Releases": {"feeds": "Every feed that you may ask about."},
    "Catalogue": {"statistics": "What you are granted; empty where nothing is."},
    "Granted": {
        "name": "Its name in the address of a question.",
        "title": "For people.",
        "estimand": "What is estimated, in words.",
        "formula": "How it is reckoned.",
    },
    "GrantTerms": {
        "dimensions": "By which dimensions and grains of time you may ask; null: all.",
        "feeds": "Of which feeds; null: all.",
        "periods": "About which time; null: all.",
    },
    "GrantedDays": {"first": "The first day.", "last": "The last day."},
    "PrivacyStatement": {
        "guarantee": "What is guaranteed, in words.",
        "unit": "Whose loss is stated, in words.",
        "ceilings": "By population, the most that this contract may cost one person of it.",
    },
    "Explanation": {
        "releases": "The releases that it rests on.",
        "plans": "How each feed was measured.",
        "rows": "How each row was reckoned, in the order of `rows`.",
        "why_private": "Why it costs no budget, in words.",
    },
    "ReleaseUsed": {
        "id": "The id of the release.",
        "provider": "You, or null: whose the others are is not said.",
        "block_sha256": "SHA-256 of the noisy block; null unless it is your own.",
    },
    "PlanUsed": {"draws": "What was drawn.", "charge_nano": "Loss of one release by it, in billionths of a rho."},
    "RowExplained": {
        "key": _KEY,
        "state": "Whether a value is shown.",
        "working": "How it was reckoned; null where nothing is shown.",
    },
    "Working": {
        "formula": "With the numbers put in.",
        "terms": "The estimates that it is made of.",
        "variance": "Of the figure's noise; of a rate to first order; null where it has no value.",
        "sd": "Its square root.",
    },
    "Term": {"name": "Its name in the formula.", "estimate": "From the noisy releases."},
}
