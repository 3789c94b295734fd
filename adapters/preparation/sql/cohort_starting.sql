-- Whoever's first episode of treatment begins in the period, as a new user's: each person once (see fresh_episodes).
SELECT
    members.member,
    fresh_episodes.product,
    CAST(NULL AS INTEGER) AS months_since_start,
    CAST(NULL AS VARCHAR(255)) AS reason,
    CASE
        WHEN present.member IS NULL THEN 'not_enrolled'
        WHEN episodes.member IS NULL THEN 'no_fill_of_the_class'
        WHEN episodes.start_day NOT BETWEEN asked.first_day AND asked.last_day THEN 'first_episode_not_begun_in_period'
        WHEN fresh_episodes.member IS NULL THEN 'no_new_user'
    END AS not_in_cohort,
    CAST(NULL AS VARCHAR(255)) AS not_counted
FROM members
CROSS JOIN asked
LEFT JOIN present ON present.member = members.member
LEFT JOIN episodes ON episodes.member = members.member AND episodes.episode = 1
LEFT JOIN fresh_episodes ON fresh_episodes.member = members.member AND fresh_episodes.episode = 1
