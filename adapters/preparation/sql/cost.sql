-- Allowed amounts of the period, in cents: of fills of any drug by the day of the fill, of stays by the day of
-- admission, of visits by their day. A claim without an amount adds nothing. A negative amount is an adjustment of
-- another claim and lowers the sum of its kind, drug or medical, to 0 at least, so that the two are never more than the
-- whole. One amount is taken as 10 billion at most, so that no sum of absurd ones overflows.
-- Source: HEDIS, Relative Resource Use: allowed amounts, dated by the first day of service.
SELECT
    member,
    CASE WHEN drug > 0 THEN drug ELSE 0 END + CASE WHEN medical > 0 THEN medical ELSE 0 END AS allowed_cents,
    CASE WHEN drug > 0 THEN drug ELSE 0 END AS drug_allowed_cents,
    CASE WHEN medical > 0 THEN medical ELSE 0 END AS medical_allowed_cents
FROM (
    SELECT
        claims.member,
        CAST(sum(claims.is_drug * claims.cents) AS BIGINT) AS drug,
        CAST(sum((1 - claims.is_drug) * claims.cents) AS BIGINT) AS medical
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
