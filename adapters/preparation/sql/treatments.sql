-- Treatment periods with what was filled in them, and the first rule that one fails (PQA): fills on at least two
-- different days, a treatment period of at least 91 days, or as the definition says. Where the window reaches beyond
-- the period, a person is not judged by what only the rest of it can tell. With a window of days from the index the
-- person is counted in the period in which it ends, and in no other (AdhereR's follow-up window).
SELECT
    periods.member,
    periods.product,
    periods.index_day,
    periods.enrolled,
    periods.first_day,
    periods.last_day,
    coalesce(treatment_fills.fills, periods.fills) AS fills,
    coalesce(treatment_fills.days_supplied, periods.days_supplied) AS days_supplied,
    CASE
        WHEN periods.last_day > asked.last_day THEN 'window_not_over'
        WHEN periods.last_day < asked.first_day THEN 'no_day_in_period'
        WHEN periods.is_whole = 1 AND asked.least_fill_dates > coalesce(
            treatment_fills.fill_dates, CASE WHEN periods.last_fill_day > periods.index_day THEN 2 ELSE 1 END
        ) THEN 'too_few_fill_dates'
        WHEN periods.is_whole = 1 AND periods.last_day - periods.index_day + 1 < asked.least_treatment_days
            THEN 'treatment_too_short'
    END AS not_counted
FROM treatment_periods AS periods
CROSS JOIN asked
LEFT JOIN treatment_fills ON treatment_fills.member = periods.member
