-- Every member, with the period by which it is judged: age, residence and exclusions are those of this period, as far as
-- its last day. An exit is judged by the period in which the first episode began, as its start was: so whoever exits is
-- among those who started, in the same stratum, whatever has changed since. Others are by the period asked for.
-- Source: the life table, in which exits are from those at risk.
SELECT
    members.member,
    members.birth_day,
    members.sex,
    members.region,
    members.line_of_business,
    coalesce(feed_periods.first_day, asked.first_day) AS first_day,
    coalesce(feed_periods.last_day, asked.last_day) AS last_day,
    coalesce(feed_periods.window_first_day, asked.window_first_day) AS window_first_day,
    coalesce(feed_periods.latest_birth_day, asked.latest_birth_day) AS latest_birth_day
FROM members
CROSS JOIN asked
LEFT JOIN episodes ON episodes.member = members.member AND episodes.episode = 1
LEFT JOIN feed_periods ON episodes.start_day BETWEEN feed_periods.first_day AND feed_periods.last_day
