-- Fills on a calendar without the days of stays: a fill counts from the first day outside a stay, and its supply lasts
-- as many such days. So the supply that overlaps a stay is used up after it, which shifts later fills of the same drug
-- in turn (CMS, Star Ratings Technical Notes, adjustment of PDC for inpatient and SNF stays, as we read it).
SELECT
    window_fills.member,
    window_fills.drug,
    window_fills.fill_day,
    CASE
        WHEN removed_days.member IS NULL THEN window_fills.fill_day
        WHEN window_fills.fill_day <= removed_days.last_day THEN removed_days.first_day - removed_days.removed_before
        ELSE window_fills.fill_day - removed_days.removed_before - (removed_days.last_day - removed_days.first_day + 1)
    END AS counted_day,
    window_fills.days_supply
FROM window_fills
LEFT JOIN removed_days
    ON removed_days.member = window_fills.member
    AND window_fills.fill_day >= removed_days.first_day
    AND window_fills.fill_day < removed_days.next_first_day
