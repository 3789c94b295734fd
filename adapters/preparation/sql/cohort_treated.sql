-- Whoever is in a treatment period of the class on a day of the period (PQA; see treatments).
SELECT
    members.member,
    treatments.product,
    CAST(NULL AS INTEGER) AS months_since_start,
    CAST(NULL AS VARCHAR(255)) AS reason,
    CASE
        WHEN present.member IS NULL THEN 'not_enrolled'
        WHEN treatments.member IS NULL THEN 'no_fill_of_the_class'
        WHEN treatments.enrolled = 0 THEN 'not_enrolled_at_index'
    END AS not_in_cohort,
    CASE
        WHEN treatments.not_counted IS NOT NULL THEN treatments.not_counted
        WHEN counted_treatments.last_day < counted_treatments.first_day THEN 'no_day_in_period'
    END AS not_counted
FROM members
LEFT JOIN present ON present.member = members.member
LEFT JOIN treatments ON treatments.member = members.member
LEFT JOIN counted_treatments ON counted_treatments.member = members.member
