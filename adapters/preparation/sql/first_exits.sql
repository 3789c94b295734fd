-- How the first episode of treatment ended, of those that began as a new user's on the first day of the feed or later:
-- each person once, on the day when it is known, which depends on nothing of after that day. Whichever is known first:
--   stopped     more than gap_days days have passed without supply: known on the last of them;
--   switched    another product was filled, where products are told apart (switch_ends_episode): known on that day;
--   left_plan   enrolment or life ended: known on its last day.
-- end_day is the last day of supply, which a switch or leaving cuts short. Supply without a known end is left out.
-- Source: AdhereR, compute.treatment.episodes; ISPOR medication persistence (Cramer 2008).
WITH started AS (
    SELECT
        fresh_episodes.member, fresh_episodes.product, fresh_episodes.start_day, spans.last_day AS plan_last_day
    FROM fresh_episodes
    CROSS JOIN asked
    JOIN enrolled_spans AS spans
        ON spans.member = fresh_episodes.member
        AND fresh_episodes.start_day BETWEEN spans.first_day AND spans.last_day
    WHERE fresh_episodes.episode = 1 AND fresh_episodes.start_day >= asked.feed_first_day
),
switched AS (
    SELECT started.member, min(switch_days.switch_day) AS switch_day
    FROM started
    CROSS JOIN asked
    JOIN switch_days
        ON switch_days.member = started.member
        AND switch_days.episode = 1
        AND switch_days.switch_day <= started.plan_last_day
    WHERE asked.switch_ends_episode = 1
    GROUP BY started.member
),
followed AS (
    SELECT
        started.member, started.product, started.start_day, switched.switch_day,
        CASE WHEN switched.switch_day IS NULL THEN started.plan_last_day ELSE switched.switch_day - 1 END AS last_day
    FROM started
    LEFT JOIN switched ON switched.member = started.member
),
supplied AS (
    SELECT
        followed.member, followed.product, followed.start_day, followed.switch_day, followed.last_day,
        max(class_supply.end_day) AS end_day
    FROM followed
    JOIN class_supply
        ON class_supply.member = followed.member
        AND class_supply.episode = 1
        AND class_supply.fill_day <= followed.last_day
    GROUP BY followed.member, followed.product, followed.start_day, followed.switch_day, followed.last_day
)
SELECT
    supplied.member, supplied.product, supplied.start_day,
    CASE WHEN supplied.end_day > supplied.last_day THEN supplied.last_day ELSE supplied.end_day END AS end_day,
    CASE
        WHEN supplied.switch_day IS NOT NULL THEN 'switched'
        WHEN supplied.end_day + asked.gap_days < supplied.last_day THEN 'stopped'
        ELSE 'left_plan'
    END AS reason,
    CASE
        WHEN supplied.switch_day IS NOT NULL THEN supplied.switch_day
        WHEN supplied.end_day + asked.gap_days < supplied.last_day THEN supplied.end_day + asked.gap_days + 1
        ELSE supplied.last_day
    END AS known_day
FROM supplied
CROSS JOIN asked
