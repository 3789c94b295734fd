-- Days of the period with enrolment, overlapping spans merged, and months with enrolment on the 15th (CMS counts
-- Medicaid member months so). Gaps that the definition permits are no enrolment here.
SELECT days.member, days.enrolled_days, coalesce(months.member_months, 0) AS member_months
FROM (
    SELECT member, sum(CASE WHEN last_day >= first_day THEN last_day - first_day + 1 ELSE 0 END) AS enrolled_days
    FROM (
        SELECT
            cut.member,
            cut.last_day,
            CASE WHEN cut.before >= cut.first_day THEN cut.before + 1 ELSE cut.first_day END AS first_day
        FROM (
            SELECT
                member,
                first_day,
                last_day,
                max(last_day) OVER (
                    PARTITION BY member ORDER BY first_day, last_day
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ) AS before
            FROM enrolled_in_period
        ) AS cut
    ) AS disjoint
    GROUP BY member
) AS days
LEFT JOIN (
    SELECT enrolled_in_period.member, count(DISTINCT fifteenths.day) AS member_months
    FROM enrolled_in_period
    JOIN fifteenths ON fifteenths.day BETWEEN enrolled_in_period.first_day AND enrolled_in_period.last_day
    GROUP BY enrolled_in_period.member
) AS months ON months.member = days.member
