-- Treatment periods on a calendar without the days of stays, in which first_day and last_day are days too.
SELECT
    treatments.member,
    treatments.product,
    CASE
        WHEN at_first.member IS NULL THEN treatments.first_day
        WHEN treatments.first_day <= at_first.last_day THEN at_first.first_day - at_first.removed_before
        ELSE treatments.first_day - at_first.removed_before - (at_first.last_day - at_first.first_day + 1)
    END AS first_day,
    CASE
        WHEN at_last.member IS NULL THEN treatments.last_day
        WHEN treatments.last_day <= at_last.last_day THEN at_last.first_day - at_last.removed_before - 1
        ELSE treatments.last_day - at_last.removed_before - (at_last.last_day - at_last.first_day + 1)
    END AS last_day,
    treatments.fills,
    treatments.days_supplied
FROM treatments
LEFT JOIN removed_days AS at_first
    ON at_first.member = treatments.member
    AND treatments.first_day >= at_first.first_day
    AND treatments.first_day < at_first.next_first_day
LEFT JOIN removed_days AS at_last
    ON at_last.member = treatments.member
    AND treatments.last_day >= at_last.first_day
    AND treatments.last_day < at_last.next_first_day
WHERE treatments.enrolled = 1 AND treatments.not_counted IS NULL
