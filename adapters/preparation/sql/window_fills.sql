-- Fills of the class in the window, as far as the period's end: nothing later is looked at, and supply from before the
-- window is not counted (PQA).
SELECT
    class_fills.member,
    class_fills.drug,
    class_fills.product,
    class_fills.fill_day,
    class_fills.days_supply
FROM class_fills
CROSS JOIN asked
WHERE class_fills.fill_day BETWEEN asked.window_first_day AND asked.last_day
