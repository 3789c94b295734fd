-- Who is known in the period to have discontinued the first episode of treatment: has stopped, or has switched where
-- products are told apart. Who left the plan is followed no more, but has not discontinued. See first_exits.
-- Source: ISPOR medication persistence (Cramer 2008).
SELECT first_exits.member, 1 AS discontinuations
FROM first_exits
CROSS JOIN asked
WHERE first_exits.reason <> 'left_plan' AND first_exits.known_day BETWEEN asked.first_day AND asked.last_day
