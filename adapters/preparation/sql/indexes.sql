-- The index: the date of the first fill of the class in the window (PQA); with what was filled in the window in all.
SELECT
    member,
    min(first_fill_day) AS index_day,
    CAST(NULL AS VARCHAR(255)) AS product,
    max(last_fill_day) AS last_fill_day,
    CAST(sum(fills) AS BIGINT) AS fills,
    CAST(sum(ends - begins + 1) AS BIGINT) AS days_supplied
FROM supply
GROUP BY member
