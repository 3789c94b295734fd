-- Days of a switch: a fill within an episode of the class, that is at most gap_days days after the end of supply or
-- while still covered, of no product that was filled on the fill day before. Whoever fills the same product beside the
-- other one has added it and not switched.
-- Source: AdhereR, where a change of medication begins a new treatment episode, whatever supply is left.
WITH product_days AS (
    SELECT DISTINCT member, fill_day, product
    FROM class_fills
    WHERE days_supply > 0
),
repeated AS (
    SELECT member, fill_day, lag(fill_day) OVER (PARTITION BY member, product ORDER BY fill_day) AS same_product_day
    FROM product_days
),
refilled AS (
    SELECT member, fill_day, max(same_product_day) AS same_product_day
    FROM repeated
    GROUP BY member, fill_day
),
followed AS (
    SELECT member, episode, fill_day, lag(fill_day) OVER (PARTITION BY member, episode ORDER BY fill_day) AS day_before
    FROM class_supply
)
SELECT followed.member, followed.episode, followed.fill_day AS switch_day
FROM followed
JOIN refilled ON refilled.member = followed.member AND refilled.fill_day = followed.fill_day
WHERE
    followed.day_before IS NOT NULL
    AND (refilled.same_product_day IS NULL OR refilled.same_product_day < followed.day_before)
