-- Every drug that was ever filled, where any drug is of the class: each is a drug of its own, and all are one product.
SELECT drug, row_number() OVER (ORDER BY drug) AS drug_number, 'any' AS product
FROM (SELECT DISTINCT drug FROM fills) AS drugs
