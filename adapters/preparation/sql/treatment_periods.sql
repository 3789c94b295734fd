-- The treatment period of a member (PQA): from the index to the last day of the window, of the period, of the span of
-- enrolment that holds the index, or of life (at which spans end), whichever comes first; first_day and last_day are
-- those of its days that lie in the period. With a window of days from the index they are its first and last of all,
-- before the period or after it too: the person is counted once, for the whole of it (see treatments).
-- is_whole: nothing of the window lies before the period or after it, so that the person can be judged by the whole.
-- holds_window: every fill of the window is in it and in the period, so that no fill has to be looked at again (unless
-- more than two dates of fills are asked for, which first and last do not tell).
SELECT
    member,
    product,
    index_day,
    last_fill_day,
    fills,
    days_supplied,
    enrolled,
    is_whole,
    first_day,
    last_day,
    CASE
        WHEN product IS NULL AND first_day = index_day AND last_fill_day <= last_day AND least_fill_dates <= 2 THEN 1
        ELSE 0
    END AS holds_window
FROM (
    SELECT
        indexes.member,
        indexes.product,
        indexes.index_day,
        indexes.last_fill_day,
        indexes.fills,
        indexes.days_supplied,
        asked.least_fill_dates,
        CASE WHEN enrolled_spans.member IS NULL THEN 0 ELSE 1 END AS enrolled,
        CASE
            WHEN asked.window_days IS NULL AND asked.window_first_day < asked.first_day THEN 0
            WHEN asked.window_days IS NULL AND asked.window_last_day > asked.last_day THEN 0
            ELSE 1
        END AS is_whole,
        CASE
            WHEN asked.window_days IS NULL AND indexes.index_day < asked.first_day THEN asked.first_day
            ELSE indexes.index_day
        END AS first_day,
        CASE
            WHEN enrolled_spans.last_day < coalesce(indexes.index_day + asked.window_days - 1, asked.last_day)
                THEN enrolled_spans.last_day
            ELSE coalesce(indexes.index_day + asked.window_days - 1, asked.last_day)
        END AS last_day
    FROM indexes
    CROSS JOIN asked
    LEFT JOIN enrolled_spans
        ON enrolled_spans.member = indexes.member
        AND indexes.index_day BETWEEN enrolled_spans.first_day AND enrolled_spans.last_day
) AS ends
