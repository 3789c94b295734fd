-- Spans of enrolment, cut to the period.
SELECT
    spans.member,
    CASE WHEN spans.first_day < asked.first_day THEN asked.first_day ELSE spans.first_day END AS first_day,
    CASE WHEN spans.last_day > asked.last_day THEN asked.last_day ELSE spans.last_day END AS last_day,
    spans.region,
    spans.line_of_business
FROM spans
CROSS JOIN asked
WHERE spans.first_day <= asked.last_day AND spans.last_day >= asked.first_day
