-- Members with a claim in the window, as far as the period's end, that carries a code of a list of exclusions; of
-- several lists the first by name.
SELECT excluding_claims.member, min(excluding_claims.list) AS list
FROM excluding_claims
CROSS JOIN asked
WHERE excluding_claims.day BETWEEN asked.window_first_day AND asked.last_day
GROUP BY excluding_claims.member
