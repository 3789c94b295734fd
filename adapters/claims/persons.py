"""One row a member, and claims held against what is known of their member."""

from collections.abc import Collection, Sequence

from adapters.claims.checks import Check, Counted, count_rows
from adapters.claims.faults import Effect, FaultCount, Reason
from adapters.claims.model import MEMBERS
from adapters.claims.tables import DAY_OF_CLAIM
from adapters.preparation.engine import Engine

_DETAILS = tuple(column.name for column in MEMBERS.columns if column.name != "member")


def create_members(engine: Engine, relation: str, given: Collection[str], *, has_as_of: bool) -> tuple[FaultCount, ...]:
    """The table members: of a member in several rows, of each column the latest value known, by `as_of`; without it, or
    among rows of one time, the greatest. A row that does not say its time is the earliest. No other member's rows have
    a say."""
    latest = ", ".join(
        f"(max({{'as_of': coalesce(as_of, ''), 'value': {name}}}) FILTER (WHERE {name} IS NOT NULL)).value AS {name}"
        for name in _DETAILS
    )
    engine.create_table("latest_members", f"SELECT member, count(*) AS times, {latest} FROM {relation} GROUP BY member")  # noqa: S608
    engine.create_table(
        "members",
        """SELECT member, birth_day, sex, region, line_of_business,
          CASE WHEN death_day < birth_day THEN NULL ELSE death_day END AS death_day FROM latest_members""",
    )
    ((merged, dead_too_soon, of_other_sex),) = engine.rows(
        """SELECT coalesce(sum(times - 1), 0), count(*) FILTER (WHERE death_day < birth_day),
          count(*) FILTER (WHERE sex IS NULL OR sex NOT IN ('F', 'M')) FROM latest_members"""
    )
    reason, effect = (Reason.MERGED, Effect.EXPECTED) if has_as_of else (Reason.REPEATED, Effect.DROPPED)
    counts = (
        FaultCount("members", None, reason, effect, int(merged)),
        FaultCount("members", "death_day", Reason.DEATH_BEFORE_BIRTH, Effect.UNKNOWN, dead_too_soon),
        FaultCount("members", "sex", Reason.SEX_UNKNOWN, Effect.KEPT, of_other_sex if "sex" in given else 0),
    )
    return tuple(count for count in counts if count.rows)


def create_members_of_claims(engine: Engine, relations: Sequence[str]) -> None:
    """Where a layout has no members: everybody in another table, of whom nothing else is known."""
    everybody = " UNION ".join(f"SELECT DISTINCT member FROM {relation}" for relation in relations)  # noqa: S608
    engine.create_table(
        "members",
        f"""SELECT member, NULL::INTEGER AS birth_day, NULL::VARCHAR AS sex, NULL::VARCHAR AS region,
          NULL::VARCHAR AS line_of_business, NULL::INTEGER AS death_day FROM ({everybody})""",  # noqa: S608
    )


def create_owned(engine: Engine, table: str, relation: str) -> tuple[str, Counted]:
    """The relation without rows of persons who are not among the members, were not born yet, or dead."""
    joined, owned = f"joined_{table}", f"owned_{table}"
    engine.create_view(
        joined,
        f"""SELECT c.*, m.member IS NULL AS unknown_member, m.birth_day AS member_birth_day,
          m.death_day AS member_death_day
        FROM {relation} c LEFT JOIN members m ON m.member = c.member""",  # noqa: S608
    )
    checks = [Check("member", Reason.MEMBER_NOT_IN_MEMBERS, Effect.DROPPED, "unknown_member")]
    if day := DAY_OF_CLAIM.get(table):
        # A fill may be taken back when its member is dead.
        claimed = " AND reversed IS NOT TRUE" if table == "fills" else ""
        checks += [
            Check(day, Reason.BEFORE_BIRTH, Effect.DROPPED, f"{day} < member_birth_day{claimed}"),
            Check(day, Reason.AFTER_DEATH, Effect.DROPPED, f"{day} > member_death_day{claimed}"),
        ]
    counted = count_rows(engine, table, joined, checks)
    if not counted.found:
        return relation, counted
    engine.create_view(
        owned,
        f"SELECT * EXCLUDE (unknown_member, member_birth_day, member_death_day) FROM {joined} WHERE {counted.sound}",  # noqa: S608
    )
    return owned, counted


def count_without_enrolment(engine: Engine) -> tuple[FaultCount, ...]:
    ((rows,),) = engine.rows("SELECT count(*) FROM members ANTI JOIN enrolment USING (member)")
    count = FaultCount("members", None, Reason.MEMBER_WITHOUT_ENROLMENT, Effect.KEPT, rows)
    return (count,) if rows else ()
