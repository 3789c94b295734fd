-- Every member, with the first rule that puts it out of the period (none: it counts), and what is known of it. Age is
-- in completed years on the period's first day (PQA, HEDIS).
SELECT
    members.member,
    CASE
        WHEN cohort.not_in_cohort IS NOT NULL THEN cohort.not_in_cohort
        WHEN asked.latest_birth_day IS NOT NULL AND members.birth_day IS NULL THEN 'age_unknown'
        WHEN members.birth_day > asked.latest_birth_day THEN 'age'
        WHEN excluded.member IS NOT NULL THEN 'excluded:' || excluded.list
        ELSE cohort.not_counted
    END AS excluded_by,
    members.birth_day,
    members.sex,
    residence.region,
    residence.line_of_business,
    cohort.product,
    cohort.months_since_start,
    cohort.reason
FROM members
CROSS JOIN asked
JOIN cohort ON cohort.member = members.member
JOIN residence ON residence.member = members.member
LEFT JOIN excluded ON excluded.member = members.member
