-- Members with a claim in the days from their index on, as far as the end of the period by which they are judged, that
-- carries a code of a list of exclusions; of several lists the first by name.
SELECT excluding_claims.member, min(excluding_claims.list) AS list
FROM excluding_claims
CROSS JOIN asked
JOIN judged ON judged.member = excluding_claims.member
JOIN indexes ON indexes.member = excluding_claims.member
WHERE excluding_claims.day BETWEEN indexes.index_day AND judged.last_day
    AND excluding_claims.day < indexes.index_day + asked.window_days
GROUP BY excluding_claims.member
