"""The codebook as Markdown, of which docs/reference/codebook.md is a copy, and the table of statistics of
docs/reference/statistics.md."""

from collections.abc import Iterable, Iterator, Sequence

from contracts.statistics.codebook import KEY_MEANING, Codebook, Declaration, Word, codebook


def codebook_page() -> str:
    """The whole page."""
    return "\n".join(_lines(codebook())) + "\n"


def statistics_table() -> list[str]:
    """A line a statistic."""
    rows = ((f"`{each.name}`", each.estimand, _needs(each), _intervals(each)) for each in codebook().statistics)
    return list(_table(("statistic", "what it estimates", "needs", "intervals"), rows))


def _lines(book: Codebook) -> Iterator[str]:
    yield "# Codebook"
    yield ""
    yield "Made by `parley codebook` of the code. Programs get it from `GET /v1/codebook`, which asks for no token,"
    yield "and in the metadata of every answer as Parquet."
    yield ""
    yield "## Columns"
    yield ""
    yield "Of answers as [CSV or Parquet](statistics.md#formats), in this order, after the dimensions asked by."
    yield ""
    columns = [(f"`{each.name}`", each.kind.replace("_", " "), each.meaning) for each in book.columns]
    yield from _table(("column", "kind", "meaning"), [("the dimensions", "text", KEY_MEANING), *columns])
    for heading, words in (("States", book.states), ("Flags", book.flags), ("Labels", book.labels)):
        yield from _words(heading, words)
    yield from _words("Units", book.units)
    yield ""
    yield "## Statistics"
    for each in book.statistics:
        yield from _statistic(each)


def _words(heading: str, words: Iterable[Word]) -> Iterator[str]:
    yield ""
    yield f"## {heading}"
    yield ""
    yield from _table(("word", "meaning"), [(f"`{each.name}`", each.meaning) for each in words])


def _statistic(each: Declaration) -> Iterator[str]:
    facts = {
        "Estimand": each.estimand,
        "Formula": each.formula,
        "Source": each.source,
        "Needs": _needs(each),
        "Interval": f"{each.interval_covers}. Method: {each.interval_method}",
        "Total interval": each.total_interval_covers or "none",
        "Label": f"`{each.label}`",
        "Compared with": ", ".join(f"`{name}`" for name in each.compares) or "nothing",
        "Can be of": ", ".join(f"`{name}`" for name in each.subjects),
        "Cannot be asked by": ", ".join(f"`{name}`" for name in each.own_dimensions),
        "Rests on": _rests_on(each),
    }
    yield ""
    yield f"### `{each.name}`"
    yield ""
    yield f"{each.title}."
    yield ""
    yield from (f"- {name}: {_plain(said)}" for name, said in facts.items() if said)
    yield ""
    figures = [(f"`{figure.name}`", f"`{figure.unit}`", figure.meaning) for figure in each.figures]
    yield from _table(("figure", "unit", "meaning"), figures)


def _rests_on(each: Declaration) -> str:
    told = {"periods that every provider has posted": each.whole_pools, "none that is provisional": each.settled_only}
    return "; ".join(words for words, holds in told.items() if holds)


def _needs(each: Declaration) -> str:
    return "; and ".join(need.text for need in each.needs) or "what the statistic that it is about needs"


def _intervals(each: Declaration) -> str:
    return "noise, and total" if each.total_interval_covers else "noise"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{' --- |' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(map(_plain, row))} |"


def _plain(text: str) -> str:
    """No cell ends where it should not, and no placeholder is HTML; in code they stay as they are."""
    return text.replace("|", r"\|") if text.startswith("`") else text.replace("|", r"\|").replace("<", "&lt;")
