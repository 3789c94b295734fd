-- Days of a member that do not count: of hospital and skilled-nursing stays, from admission to discharge, both included
-- (CMS spells a stay by its start and end dates here, as we read it). removed_before: days of the stays before this one.
-- next_first_day: first day of the next stay, or one after the end of the calendar.
SELECT
    member,
    admission_day AS first_day,
    discharge_day AS last_day,
    coalesce(
        sum(discharge_day - admission_day + 1) OVER (
            PARTITION BY member ORDER BY admission_day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ),
        0
    ) AS removed_before,
    coalesce(lead(admission_day) OVER (PARTITION BY member ORDER BY admission_day), 2932897) AS next_first_day
FROM stay_spans
