-- Members with a claim in the window, as far as the end of the period by which they are judged, that carries a code of a
-- list of exclusions; of several lists the first by name.
SELECT excluding_claims.member, min(excluding_claims.list) AS list
FROM excluding_claims
JOIN judged ON judged.member = excluding_claims.member
WHERE excluding_claims.day BETWEEN judged.window_first_day AND judged.last_day
GROUP BY excluding_claims.member
