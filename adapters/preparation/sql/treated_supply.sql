-- Days of supply that lie in the treatment period: those before it or after it are cut off (PQA).
SELECT
    supply.member,
    CASE WHEN supply.begins < treated.first_day THEN treated.first_day ELSE supply.begins END AS begins,
    CASE WHEN supply.ends > treated.last_day THEN treated.last_day ELSE supply.ends END AS ends
FROM supply
JOIN counted_treatments AS treated
    ON treated.member = supply.member
    AND treated.first_day <= supply.ends
    AND treated.last_day >= supply.begins
