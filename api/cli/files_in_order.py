"""Several files of cells or releases that each say what they are of, posted one after the other."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from api.cli.cells import TABLE_SUFFIXES, find_label, find_release
from api.cli.output import Failure, tell
from contracts.parties import JsonObject


def contract_and_files(words: Sequence[str]) -> tuple[str | None, list[Path]]:
    """The first of several words is a contract if it has neither dot nor slash: files and folders have one. A folder
    stands for the tables in it. Raises Failure."""
    has_contract = len(words) > 1 and not {".", "/"} & set(words[0])
    named, *others = words if has_contract else (None, *words)
    files = [file for word in others if word is not None for file in _files_of(Path(word))]
    return named, files


def in_order(files: Sequence[Path]) -> list[tuple[str, Path]]:
    """Feeds one after the other, each in the order of its periods, under what each file is of. Raises Failure, or
    UsageError."""
    found: dict[tuple[str, str, str], Path] = {}
    for file in files:
        of = _says(file)
        if of in found:
            raise Failure(f"{file} and {found[of]} are of the same period: post one of them.")
        found[of] = file
    return [(f"{feed} {period}", found[feed, period, number]) for feed, period, number in sorted(found)]


def post_in_order(files: Sequence[tuple[str, Path]], post: Callable[[Path], JsonObject]) -> Iterator[JsonObject]:
    """The receipts. Whatever stops it, it is said which are posted."""
    for number, (_, file) in enumerate(files):
        try:
            receipt = post(file)
        except BaseException:
            done = ", ".join(name for name, _ in files[:number]) or "nothing"
            left = ", ".join(f"{name} ({path})" for name, path in files[number:])
            tell(f"Posted: {done}. Not posted: {left}.")
            tell("When that is mended, repeat the same command: what is posted already is not debited again.")
            raise
        yield receipt


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix in TABLE_SUFFIXES and not file.name.startswith("."))
    if not found:
        raise Failure(f"{path} has no {' or '.join(TABLE_SUFFIXES)} file in it.")
    return found


def _says(file: Path) -> tuple[str, str, str]:
    """Feed, period and restatement."""
    if (label := find_label(file)) is not None:
        return label.feed, label.period, str(label.restatement)
    release = find_release(file)
    if release is None:
        raise click.UsageError(f"Of several files each says itself what it is of, and {file} does not: post it alone.")
    return str(release.get("feed")), str(release.get("period")), str(release.get("restatement", 0))
