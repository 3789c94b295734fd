-- Every member, with the period by which it is judged: age, residence and exclusions are those of this period, as far as
-- its last day. It is the period asked for; of exits it is that of the start (judged_at_start).
SELECT
    members.member,
    members.birth_day,
    members.sex,
    members.region,
    members.line_of_business,
    asked.first_day,
    asked.last_day,
    asked.window_first_day,
    asked.latest_birth_day
FROM members
CROSS JOIN asked
