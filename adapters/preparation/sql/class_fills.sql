-- Fills of drugs of the class, of any time, with the product that the drug belongs to; the drug is a number, which is
-- quicker to group by. One fill is taken to last a century at most, so that no sum of absurd supplies overflows.
SELECT
    fills.member,
    class_drugs.drug_number AS drug,
    class_drugs.product,
    fills.fill_day,
    CASE WHEN fills.days_supply > 36525 THEN 36525 ELSE fills.days_supply END AS days_supply,
    fills.allowed_cents
FROM fills
JOIN class_drugs ON class_drugs.drug = fills.drug
