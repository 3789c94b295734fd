-- Members enrolled on a day of the period.
SELECT DISTINCT enrolled_spans.member
FROM enrolled_spans
CROSS JOIN asked
WHERE enrolled_spans.first_day <= asked.last_day AND enrolled_spans.last_day >= asked.first_day
