-- Exits of the period, with the whole months of the calendar from the start of treatment to the first day without
-- supply, by which AdhereR dates the end of an episode: supply of the whole of January ends after one month.
-- Of the period are those that become known in it; or, where the contract has exits posted known_after_months later,
-- always, those whose month of start, months since it and these months come to it. Whatever is known after the period
-- is not looked at, so that none is posted before it is known.
SELECT exits.member, exits.product, exits.reason, exits.months_since_start
FROM (
    SELECT
        known.member, known.product, known.reason, started.month AS start_month,
        ended.month - started.month
        - CASE WHEN known.end_date - ended.first_day < known.start_day - started.first_day THEN 1 ELSE 0 END
            AS months_since_start
    FROM (
        SELECT
            first_exits.member, first_exits.product, first_exits.reason, first_exits.start_day,
            first_exits.end_day + 1 AS end_date
        FROM first_exits
        CROSS JOIN asked
        WHERE first_exits.known_day <= asked.last_day
            AND (asked.known_after_months IS NOT NULL OR first_exits.known_day >= asked.first_day)
    ) AS known
    JOIN months AS started ON known.start_day BETWEEN started.first_day AND started.last_day
    JOIN months AS ended ON known.end_date BETWEEN ended.first_day AND ended.last_day
) AS exits
CROSS JOIN asked
WHERE asked.known_after_months IS NULL
    OR exits.start_month + exits.months_since_start + asked.known_after_months = asked.last_month
