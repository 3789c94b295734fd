-- The index: the date of the first fill of the class in the window (PQA), and the product then filled, the first by
-- name where there are several; with what was filled in the window in all.
SELECT
    firsts.member,
    firsts.index_day,
    min(class_drugs.product) AS product,
    firsts.last_fill_day,
    firsts.fills,
    firsts.days_supplied
FROM (
    SELECT
        member,
        min(first_fill_day) AS index_day,
        max(last_fill_day) AS last_fill_day,
        CAST(sum(fills) AS BIGINT) AS fills,
        CAST(sum(ends - begins + 1) AS BIGINT) AS days_supplied
    FROM supply
    GROUP BY member
) AS firsts
JOIN supply ON supply.member = firsts.member AND supply.first_fill_day = firsts.index_day
JOIN class_drugs ON class_drugs.drug_number = supply.drug
GROUP BY firsts.member, firsts.index_day, firsts.last_fill_day, firsts.fills, firsts.days_supplied
