-- Supply of the class by day of fill, with the number of the episode of treatment that it belongs to.
-- The class is one stock: a fill's supply begins when all before it is used up, whichever drug that was, and an episode
-- ends where more than gap_days days pass without supply. A fill of no days opens no episode and prolongs none.
-- Source: AdhereR, compute.treatment.episodes with carry-over and a maximum permissible gap, where neither carry-over
-- nor the end of an episode looks at the drug; ISPOR medication persistence (Cramer 2008).
-- Closed form: base, the most of fill_day less all supply before it over the fills so far, grows by each day without
-- supply, so the gap before a fill is what base has grown by.
WITH filled AS (
    SELECT member, fill_day, CAST(sum(days_supply) AS BIGINT) AS days_supply
    FROM class_fills
    WHERE days_supply > 0
    GROUP BY member, fill_day
),
summed AS (
    SELECT
        member, fill_day, days_supply,
        CAST(sum(days_supply) OVER (PARTITION BY member ORDER BY fill_day) AS BIGINT) - days_supply AS supplied_before
    FROM filled
),
compared AS (
    SELECT
        member, fill_day, days_supply, supplied_before,
        fill_day - supplied_before AS own_base,
        max(fill_day - supplied_before) OVER (
            PARTITION BY member ORDER BY fill_day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS base_before
    FROM summed
),
shifted AS (
    SELECT
        member, fill_day, days_supply, supplied_before, base_before,
        CASE WHEN base_before > own_base THEN base_before ELSE own_base END AS base
    FROM compared
)
SELECT
    shifted.member, shifted.fill_day,
    shifted.base + shifted.supplied_before AS start_day,
    shifted.base + shifted.supplied_before + shifted.days_supply - 1 AS end_day,
    sum(CASE WHEN shifted.base - shifted.base_before <= asked.gap_days THEN 0 ELSE 1 END) OVER (
        PARTITION BY shifted.member ORDER BY shifted.fill_day
    ) AS episode
FROM shifted
CROSS JOIN asked
