"""What the entries of a ledger say, in plain words, and how they add up to the population's loss."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest

from contracts.ledger.entries import Entry, EntryKind, FeedAccount, account_of
from privacy.units import rho_text


@dataclass(frozen=True, slots=True)
class Subtotal:
    """How the loss of one generation of a feed comes about. Losses in nano-rho.

    largest_nano: sum of the k largest first measurements, `largest` of the `first` there are. further_nano: sum of the
    `further` measurements, each in full; `restatements`: how many of them are one, the others being measured again.
    """

    account: FeedAccount
    k: int
    first: int
    largest: int
    largest_nano: int
    further: int
    further_nano: int
    restatements: int

    @property
    def loss_nano(self) -> int:
        return self.largest_nano + self.further_nano

    @property
    def words(self) -> str:
        first = f"{_times(self.first, 'first measurement')} of {_feed(self.account.feed, self.account.linked_by)}"
        if self.largest < self.first:
            first += f", of which the {self.largest} largest count"
        texts = [f"{first}: rho {rho_text(self.largest_nano)}"]
        if self.further:
            what = "restatement" if self.restatements == self.further else "further measurement"
            texts.append(f"{_times(self.further, what)}, in full: rho {rho_text(self.further_nano)}")
        return f"{'; '.join(texts)}."


def explain(entries: Sequence[Entry]) -> list[str]:
    """One text an entry, in their order."""
    seen: Counter[FeedAccount] = Counter()
    granted = 0
    texts = []
    for entry in entries:
        if not entry.is_charge:
            words = _grant if entry.kind is EntryKind.GRANT else _correction
            texts.append(words(entry, entry.granted_nano - granted))
            granted = entry.granted_nano
            continue
        if entry.is_first:
            seen[account_of(entry)] += 1
        texts.append(f"{_measurement(entry)}: {_why(entry, seen[account_of(entry)])}")
    return texts


def add_up(entries: Sequence[Entry]) -> list[Subtotal]:
    """One subtotal a feed and generation, in the order of their first entries; together the population's loss."""
    debits: dict[FeedAccount, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.is_charge:
            debits[account_of(entry)].append(entry)
    return [_subtotal(account, found) for account, found in debits.items()]


def _subtotal(account: FeedAccount, debits: Sequence[Entry]) -> Subtotal:
    first = [entry.charge_nano for entry in debits if entry.is_first]
    further = [entry.charge_nano for entry in debits if not entry.is_first]
    # Debits of before k was recorded were all of one charge, so as many count as raised the loss.
    k = debits[0].event.get("k") or sum(entry.is_first and entry.increment_nano > 0 for entry in debits)
    largest = nlargest(k, first)
    restatements = sum(entry.attempt == 1 and bool(entry.restatement) for entry in debits)
    return Subtotal(account, k, len(first), len(largest), sum(largest), len(further), sum(further), restatements)


def _grant(entry: Entry, granted_nano: int) -> str:
    # An altered event must not hide the ledger from its owner; `parley ledger verify` names it.
    reason = entry.event.get("reason", "none is recorded")
    return f"Grant: raises what the population may lose by rho {rho_text(granted_nano)}. Reason: {reason}."


def _correction(entry: Entry, granted_nano: int) -> str:
    what = f"restores a lost grant of rho {rho_text(granted_nano)}" if granted_nano else "changes nothing"
    return f"Correction: {what}. Reason: {entry.event.get('reason', 'none is recorded')}."


def _measurement(entry: Entry) -> str:
    what = f"{_feed(entry.feed, entry.linked_by)} {entry.period}"
    if entry.restatement:
        what = f"Restatement {entry.restatement} of {what}"
    if entry.attempt != 1:
        what = f"{what}, attempt {entry.attempt}"
    return f"Correction, for a debit that the database lost: {what}" if entry.restores else what


def _feed(name: str | None, linked_by: str | None) -> str:
    """Of whose cells a brand's population pays for, and who posts them."""
    return str(name) if linked_by is None else f"{name} (linked to your records by {linked_by})"


def _why(entry: Entry, first: int) -> str:
    """first: how many first measurements there are in the entry's feed and generation, this one included."""
    if entry.is_first:
        return _why_first(entry, first)
    if entry.attempt != 1:
        return "counts in full, since the draw of an attempt before it may have reached a disk before it was lost."
    if entry.restatement:
        return (
            "counts in full, since late records can move a person between periods, and so into this measurement on "
            "top of all that count already."
        )
    return (
        "counts in full: the period was measured before, under an earlier version of the contract, and a person can "
        "have moved between periods since."
    )


def _why_first(entry: Entry, first: int) -> str:
    k = entry.event.get("k")
    if k is None:
        return f"first measurement number {first}; adds rho {rho_text(entry.increment_nano)}."
    one_person = f"one person is in at most {_times(k, 'period')}"
    if first <= k:
        return f"first measurement number {first}; counts in full, since {one_person}."
    if entry.increment_nano == 0:
        return f"first measurement number {first}; adds nothing, since {one_person} and {k} as large or larger count."
    return (
        f"first measurement number {first}; adds only the difference to the smallest of the {k} largest, whose place "
        f"it takes, since {one_person}."
    )


def _times(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
