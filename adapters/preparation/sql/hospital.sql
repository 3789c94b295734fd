-- hospital_stays: stays whose day of admission is in the period; hospitalised_members: 1 for whoever has one;
-- hospital_days: days of the period that count as days of a stay, whenever it began: the day of discharge does not
-- count, unless it is the day of admission too.
-- Source: HEDIS, Inpatient Utilization; days as Medicare counts inpatient days (midnight to midnight).
SELECT
    member,
    sum(admitted) AS hospital_stays,
    max(admitted) AS hospitalised_members,
    sum(last_day - first_day + 1) AS hospital_days
FROM (
    SELECT
        counted.member,
        CASE WHEN counted.admission_day BETWEEN asked.first_day AND asked.last_day THEN 1 ELSE 0 END AS admitted,
        CASE WHEN counted.admission_day < asked.first_day THEN asked.first_day ELSE counted.admission_day END
            AS first_day,
        CASE WHEN counted.last_day > asked.last_day THEN asked.last_day ELSE counted.last_day END AS last_day
    FROM (
        SELECT
            member, admission_day,
            CASE WHEN discharge_day > admission_day THEN discharge_day - 1 ELSE discharge_day END AS last_day
        FROM hospital_spans
    ) AS counted
    CROSS JOIN asked
    WHERE counted.admission_day <= asked.last_day AND counted.last_day >= asked.first_day
) AS cut
GROUP BY member
