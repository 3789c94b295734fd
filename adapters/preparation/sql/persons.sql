-- Every member, with the first rule that puts it out of the period (none: it counts), and what is known of it. Age is
-- in completed years on the first day of the period by which the person is judged, age_day (PQA, HEDIS).
SELECT
    judged.member,
    CASE
        WHEN cohort.not_in_cohort IS NOT NULL THEN cohort.not_in_cohort
        WHEN judged.latest_birth_day IS NOT NULL AND judged.birth_day IS NULL THEN 'age_unknown'
        WHEN judged.birth_day > judged.latest_birth_day THEN 'age'
        WHEN excluded.member IS NOT NULL THEN 'excluded:' || excluded.list
        ELSE cohort.not_counted
    END AS excluded_by,
    judged.birth_day,
    judged.first_day AS age_day,
    judged.sex,
    residence.region,
    residence.line_of_business,
    cohort.product,
    cohort.months_since_start,
    cohort.reason
FROM judged
JOIN cohort ON cohort.member = judged.member
JOIN residence ON residence.member = judged.member
LEFT JOIN excluded ON excluded.member = judged.member
