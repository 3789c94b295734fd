-- Whoever's first episode of treatment is known in the period to have ended, of those who entered by a start on the
-- first day of the feed or later: each person once (see first_exits, exit_months). An exit that is posted later than it is
-- known (known_after_months) is so even if its person has left the plan by then.
SELECT
    members.member,
    exit_months.product,
    CAST(exit_months.months_since_start AS INTEGER) AS months_since_start,
    exit_months.reason,
    CASE
        WHEN exit_months.member IS NOT NULL THEN NULL
        WHEN present.member IS NULL THEN 'not_enrolled'
        WHEN episodes.member IS NULL THEN 'no_fill_of_the_class'
        ELSE 'first_episode_not_ended_in_period'
    END AS not_in_cohort,
    CAST(NULL AS VARCHAR(255)) AS not_counted
FROM members
LEFT JOIN present ON present.member = members.member
LEFT JOIN episodes ON episodes.member = members.member AND episodes.episode = 1
LEFT JOIN exit_months ON exit_months.member = members.member
