-- Where the person lives and how it is insured on its first day of enrolment in the period, which is the period's first
-- day for most: one residence a period, so that a person is in one stratum. Of several spans that hold the day, the one
-- that began last; what the span does not say, the member does.
SELECT
    members.member,
    coalesce(residences.region, members.region) AS region,
    coalesce(residences.line_of_business, members.line_of_business) AS line_of_business
FROM members
LEFT JOIN (
    SELECT
        member,
        region,
        line_of_business,
        row_number() OVER (
            PARTITION BY member
            ORDER BY
                first_day_in_period,
                first_day DESC,
                last_day,
                coalesce(region, ''),
                coalesce(line_of_business, '')
        ) AS place
    FROM (
        SELECT
            spans.member,
            spans.region,
            spans.line_of_business,
            spans.first_day,
            spans.last_day,
            CASE WHEN spans.first_day < asked.first_day THEN asked.first_day ELSE spans.first_day END
                AS first_day_in_period
        FROM spans
        CROSS JOIN asked
        WHERE spans.first_day <= asked.last_day AND spans.last_day >= asked.first_day
    ) AS touching
) AS residences ON residences.member = members.member AND residences.place = 1
