-- Treatment periods on the calendar of days that count, which are all days.
SELECT member, product, first_day, last_day, fills, days_supplied
FROM treatments
WHERE enrolled = 1 AND not_counted IS NULL
