-- Who begins treatment in the period as a new user: 1 a person, whether ever treated before the washout or not.
-- Source: the new-user design (Ray 2003); see fresh_episodes.
SELECT DISTINCT fresh_episodes.member, 1 AS new_starts
FROM fresh_episodes
CROSS JOIN asked
WHERE fresh_episodes.start_day BETWEEN asked.first_day AND asked.last_day
