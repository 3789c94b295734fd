-- ed_visits: days of the period with an emergency visit, at most one a day however many claims it has; ed_members: 1
-- for whoever has one. Where emergency_admissions_left_out, those on a day of a hospital stay, both ends included, are
-- not counted: the stay says it.
-- Source: HEDIS, Ambulatory Care.
SELECT visits.member, count(DISTINCT visits.visit_day) AS ed_visits, 1 AS ed_members
FROM visits
CROSS JOIN asked
WHERE
    visits.type = 'ed'
    AND visits.visit_day BETWEEN asked.first_day AND asked.last_day
    AND NOT (
        asked.emergency_admissions_left_out = 1
        AND EXISTS (
            SELECT 1 FROM hospital_spans
            WHERE
                hospital_spans.member = visits.member
                AND visits.visit_day BETWEEN hospital_spans.admission_day AND hospital_spans.discharge_day
        )
    )
GROUP BY visits.member
