-- Days on which a person can be enrolled: the spans of enrolment, to the day of death at most, as they stand: they may
-- overlap. A span without an end reaches to the end of the calendar (2932896: the year 9999), and where the layout
-- gives no enrolment, so does everybody's, from its beginning (-719162: the year 1).
SELECT member, first_day, last_day, region, line_of_business
FROM (
    SELECT
        enrolment.member,
        enrolment.first_day,
        CASE
            WHEN members.death_day < coalesce(enrolment.last_day, 2932896) THEN members.death_day
            ELSE coalesce(enrolment.last_day, 2932896)
        END AS last_day,
        enrolment.region,
        enrolment.line_of_business
    FROM enrolment
    JOIN members ON members.member = enrolment.member
    UNION ALL
    SELECT member, -719162, coalesce(death_day, 2932896), CAST(NULL AS VARCHAR(255)), CAST(NULL AS VARCHAR(255))
    FROM members
    WHERE NOT EXISTS (SELECT 1 FROM given WHERE name = 'enrolment')
) AS living
WHERE first_day <= last_day
