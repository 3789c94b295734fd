-- Episodes of treatment, numbered from the person's first: the first and the last day of supply in each.
-- An episode is known to have ended when more than gap_days days have passed without supply, and its end is dated at
-- the end of the last supply.
-- Source: AdhereR, compute.treatment.episodes; ISPOR medication persistence (Cramer 2008).
SELECT member, episode, min(start_day) AS start_day, max(end_day) AS end_day
FROM class_supply
GROUP BY member, episode
