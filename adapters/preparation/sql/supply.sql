-- Stretches of days without a gap that the supply of one drug covers, when it shifts forward (PQA: a fill before the
-- supply of the same drug has run out begins on the day after): begins_i = max(fill_i, ends_(i-1) + 1). In closed form,
-- with S_i the running sum of days supplied and base_i the greatest fill_j - S_(j-1) over j <= i, fill i covers the days
-- from base_i + S_(i-1) to base_i + S_i - 1; fills with one base follow each other without a gap.
-- Fills of one drug on one day follow each other in any order: base is over all of them (RANGE), and the first has the
-- smallest S before it. This is the one text that reads every fill; what else is asked of fills is kept beside.
SELECT
    member,
    drug,
    base + min(supplied_before) AS begins,
    base + max(supplied_before + days_supply) - 1 AS ends,
    min(fill_day) AS first_fill_day,
    max(fill_day) AS last_fill_day,
    count(*) AS fills
FROM (
    SELECT
        member,
        drug,
        fill_day,
        days_supply,
        supplied_before,
        max(counted_day - supplied_before) OVER (
            PARTITION BY member, drug ORDER BY counted_day RANGE UNBOUNDED PRECEDING
        ) AS base
    FROM (
        SELECT
            member,
            drug,
            fill_day,
            counted_day,
            days_supply,
            CAST(
                sum(days_supply) OVER (PARTITION BY member, drug ORDER BY counted_day ROWS UNBOUNDED PRECEDING)
                - days_supply AS BIGINT
            ) AS supplied_before
        FROM counted_fills
    ) AS summed
) AS shifted
GROUP BY member, drug, base
