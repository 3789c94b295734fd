-- Switches in the period: its days on which the person changed to another product of the class. See switch_days.
SELECT switch_days.member, count(*) AS switches
FROM switch_days
CROSS JOIN asked
WHERE switch_days.switch_day BETWEEN asked.first_day AND asked.last_day
GROUP BY switch_days.member
