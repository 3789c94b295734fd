-- Days covered: those of the treatment period, in the period, that a drug of the class covers. Drugs do not shift each
-- other: what counts is the union of their days (PQA).
SELECT member, sum(CASE WHEN ends >= begins THEN ends - begins + 1 ELSE 0 END) AS days_covered
FROM (
    SELECT
        member,
        CASE WHEN covered_before >= begins THEN covered_before + 1 ELSE begins END AS begins,
        ends
    FROM (
        SELECT
            member,
            begins,
            ends,
            max(ends) OVER (
                PARTITION BY member ORDER BY begins ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS covered_before
        FROM treated_supply
        WHERE begins <= ends
    ) AS ordered
) AS disjoint
GROUP BY member
