-- Spans of continuous enrolment: overlapping and adjoining ones are merged, and those whose gap is not longer than what
-- the definition permits (PQA and HEDIS, continuous enrolment with allowable gaps).
SELECT member, min(first_day) AS first_day, max(last_day) AS last_day
FROM (
    SELECT
        member,
        first_day,
        last_day,
        sum(begins) OVER (PARTITION BY member ORDER BY first_day, last_day ROWS UNBOUNDED PRECEDING) AS span
    FROM (
        SELECT
            spans.member,
            spans.first_day,
            spans.last_day,
            CASE
                WHEN spans.first_day <= asked.enrolment_gap_days + 1 + max(spans.last_day) OVER (
                    PARTITION BY spans.member
                    ORDER BY spans.first_day, spans.last_day
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ) THEN 0
                ELSE 1
            END AS begins
        FROM spans
        CROSS JOIN asked
    ) AS marked
) AS numbered
GROUP BY member, span
