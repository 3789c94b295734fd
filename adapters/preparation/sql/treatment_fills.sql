-- What was filled in a treatment period that does not hold the whole window: on how many different days, where the
-- person is judged by them; and, of the days in the period, how many fills with how many days of supply.
SELECT
    window_fills.member,
    count(DISTINCT CASE WHEN periods.is_whole = 1 THEN window_fills.fill_day END) AS fill_dates,
    CAST(
        sum(
            CASE
                WHEN window_fills.fill_day < periods.first_day THEN 0
                WHEN window_fills.product <> periods.product THEN 0
                ELSE 1
            END
        ) AS BIGINT
    ) AS fills,
    CAST(
        sum(
            CASE
                WHEN window_fills.fill_day < periods.first_day THEN 0
                WHEN window_fills.product <> periods.product THEN 0
                ELSE window_fills.days_supply
            END
        ) AS BIGINT
    ) AS days_supplied
FROM window_fills
JOIN treatment_periods AS periods
    ON periods.member = window_fills.member
    AND periods.last_day >= window_fills.fill_day
    AND periods.holds_window = 0
GROUP BY window_fills.member
