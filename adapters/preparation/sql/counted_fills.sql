-- Fills on the calendar of days that count, which are all days.
SELECT member, drug, fill_day, fill_day AS counted_day, days_supply
FROM window_fills
