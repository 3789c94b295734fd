-- Days in an institution: stays of every type, overlapping ones and same-day transfers (admission on the day of a
-- discharge, or before it) merged into one. An admission on the next day is another stay. Both ends are included.
-- Source: transfers joined as in the CMS readmission measures.
SELECT member, min(admission_day) AS admission_day, max(discharge_day) AS discharge_day
FROM (
    SELECT
        member, admission_day, discharge_day,
        sum(begins) OVER (
            PARTITION BY member ORDER BY admission_day, discharge_day ROWS UNBOUNDED PRECEDING
        ) AS span
    FROM (
        SELECT
            member, admission_day, discharge_day,
            CASE
                WHEN admission_day <= max(discharge_day) OVER (
                    PARTITION BY member ORDER BY admission_day, discharge_day
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ) THEN 0
                ELSE 1
            END AS begins
        FROM stays
        WHERE discharge_day >= admission_day
    ) AS marked
) AS numbered
GROUP BY member, span
