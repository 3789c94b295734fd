-- Where the person lives and how it is insured on its first day of enrolment in the period by which it is judged, which
-- is that period's first day for most: one residence, so that a person is in one stratum. Of several spans that hold the
-- day, the one that began last; what the span does not say, the member does.
SELECT
    judged.member,
    coalesce(residences.region, judged.region) AS region,
    coalesce(residences.line_of_business, judged.line_of_business) AS line_of_business
FROM judged
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
            CASE WHEN spans.first_day < judged.first_day THEN judged.first_day ELSE spans.first_day END
                AS first_day_in_period
        FROM spans
        JOIN judged
            ON judged.member = spans.member
            AND judged.first_day <= spans.last_day
            AND judged.last_day >= spans.first_day
    ) AS touching
) AS residences ON residences.member = judged.member AND residences.place = 1
