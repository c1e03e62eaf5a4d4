-- Events by the quarter of an hour that they began in, which is fine enough for the hour of the day in every zone; those
-- since an instant, in microseconds, apart from those before it.
WITH counted AS (
  SELECT t - t % 900000000 AS quarter_t, coalesce(t >= CAST(:since AS BIGINT), false) AS is_later, t, outcome
  FROM events
)
SELECT
  quarter_t,
  is_later,
  min(t) AS first_t,
  count(*) AS events,
  count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied
FROM counted
GROUP BY quarter_t, is_later
ORDER BY quarter_t, is_later
