-- Events per HSM and hour, against the median of the same hour on the other days of its kind (workday or weekend).
@history
SELECT
  nullif(hsm, '') AS hsm,
  h * 3600000000 AS hour_t,
  n AS events,
  expected,
  CASE
    WHEN expected IS NULL THEN 'no_history'
    WHEN n = 0 AND exp(log_empty) < 1e-2 THEN 'silent'
    -- the first and the last hour are not covered in full
    WHEN n > 0 AND h > first_h AND h < own_last_h AND n < expected - 3.5e0 * sqrt(expected * coalesce(dispersion, 1e0))
      THEN 'low'
    ELSE 'as_expected'
  END AS state
FROM rates
ORDER BY hsm NULLS FIRST, hour_t
