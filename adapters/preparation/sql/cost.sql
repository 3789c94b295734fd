-- Allowed amounts of the period, in cents: of fills of any drug by the day of the fill, of stays by the day of
-- admission, of visits by their day. A claim without an amount adds nothing. A negative amount is an adjustment of
-- another claim and lowers the sum of its kind, drug or medical, to 0 at least, so that the two are never more than the
-- whole. One amount is taken as 10 billion at most, and a sum as 10 quadrillion, so that absurd ones do not overflow.
-- Source: HEDIS, Relative Resource Use: allowed amounts, dated by the first day of service.
SELECT member, drug + medical AS allowed_cents, drug AS drug_allowed_cents, medical AS medical_allowed_cents
FROM (
    SELECT
        member,
        CAST(CASE WHEN drug < 0 THEN 0 WHEN drug > most THEN most ELSE drug END AS BIGINT) AS drug,
        CAST(CASE WHEN medical < 0 THEN 0 WHEN medical > most THEN most ELSE medical END AS BIGINT) AS medical
    FROM (
        SELECT
            claims.member,
            sum(claims.is_drug * claims.cents) AS drug,
            sum((1 - claims.is_drug) * claims.cents) AS medical,
            1000000000000000000 AS most
        FROM (
            SELECT
                member, day, is_drug,
                CASE
                    WHEN allowed_cents > 1000000000000 THEN 1000000000000
                    WHEN allowed_cents < -1000000000000 THEN -1000000000000
                    ELSE allowed_cents
                END AS cents
            FROM (
                SELECT member, fill_day AS day, 1 AS is_drug, allowed_cents FROM fills
                UNION ALL
                SELECT member, admission_day AS day, 0 AS is_drug, allowed_cents FROM stays
                UNION ALL
                SELECT member, visit_day AS day, 0 AS is_drug, allowed_cents FROM visits
            ) AS amounts
        ) AS claims
        CROSS JOIN asked
        WHERE claims.day BETWEEN asked.first_day AND asked.last_day AND claims.cents IS NOT NULL
        GROUP BY claims.member
    ) AS sums
) AS cut
