-- Whoever is enrolled on a day of the period.
SELECT
    members.member,
    CAST(NULL AS VARCHAR(255)) AS product,
    CAST(NULL AS INTEGER) AS months_since_start,
    CAST(NULL AS VARCHAR(255)) AS reason,
    CASE WHEN present.member IS NULL THEN 'not_enrolled' END AS not_in_cohort,
    CAST(NULL AS VARCHAR(255)) AS not_counted
FROM members
LEFT JOIN present ON present.member = members.member
