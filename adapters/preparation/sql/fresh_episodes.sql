-- Episodes of new users, with the product they begin with: no fill of the class, not even one of no days, in the
-- washout_days days before the first, which is on a day of enrolment. Fills before count and not supply, since who
-- stopped filling has left the treatment, whatever is still in the cupboard. Of several products on one day, the first
-- by name is the one.
-- Source: the new-user design (Ray 2003).
SELECT
    episodes.member, episodes.episode, episodes.start_day,
    min(
        CASE WHEN class_fills.fill_day = episodes.start_day AND class_fills.days_supply > 0 THEN class_fills.product END
    ) AS product
FROM episodes
CROSS JOIN asked
JOIN enrolled_spans AS spans
    ON spans.member = episodes.member
    AND episodes.start_day BETWEEN spans.first_day AND spans.last_day
JOIN class_fills
    ON class_fills.member = episodes.member
    AND class_fills.fill_day BETWEEN episodes.start_day - asked.washout_days AND episodes.start_day
GROUP BY episodes.member, episodes.episode, episodes.start_day
HAVING min(class_fills.fill_day) = episodes.start_day
