-- Proportion of days covered (PQA) and medication possession ratio (Peterson 2007, ISPOR) of a treatment period, as far
-- as it lies in the period. Basis points are whole, rounded down; the possession ratio is at most 1. Adherent is who
-- has at least the threshold's share of days covered, compared in whole numbers. Without its remainder a number is
-- divided exactly, whatever `/` means to an engine.
SELECT
    member,
    days_covered,
    treatment_days,
    days_supplied,
    fills,
    CASE WHEN days_covered * threshold_denominator >= treatment_days * threshold_numerator THEN 1 ELSE 0 END
        AS adherent_members,
    CAST((10000 * days_covered - (10000 * days_covered) % treatment_days) / treatment_days AS BIGINT)
        AS pdc_basis_points,
    CASE
        WHEN days_supplied >= treatment_days THEN 10000
        ELSE CAST((10000 * days_supplied - (10000 * days_supplied) % treatment_days) / treatment_days AS BIGINT)
    END AS mpr_basis_points
FROM (
    SELECT
        treated.member,
        coalesce(covered.days_covered, 0) AS days_covered,
        treated.last_day - treated.first_day + 1 AS treatment_days,
        treated.days_supplied,
        treated.fills,
        asked.threshold_numerator,
        asked.threshold_denominator
    FROM counted_treatments AS treated
    CROSS JOIN asked
    LEFT JOIN covered ON covered.member = treated.member
    WHERE treated.last_day >= treated.first_day
) AS days
