-- Exits known in the period, with the whole months of the calendar from the start of treatment to the first day without
-- supply, by which AdhereR dates the end of an episode: supply of the whole of January ends after one month.
SELECT
    known.member, known.product, known.reason,
    ended.month - started.month
    - CASE WHEN known.end_date - ended.first_day < known.start_day - started.first_day THEN 1 ELSE 0 END
        AS months_since_start
FROM (
    SELECT
        first_exits.member, first_exits.product, first_exits.reason, first_exits.start_day,
        first_exits.end_day + 1 AS end_date
    FROM first_exits
    CROSS JOIN asked
    WHERE first_exits.known_day BETWEEN asked.first_day AND asked.last_day
) AS known
JOIN months AS started ON known.start_day BETWEEN started.first_day AND started.last_day
JOIN months AS ended ON known.end_date BETWEEN ended.first_day AND ended.last_day
