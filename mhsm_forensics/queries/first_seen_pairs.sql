-- Which values came together, since when, how often. The two columns come out of a closed list; :since is an instant
-- in microseconds, or null.
WITH pairs AS (
  SELECT
    principal /* left */ AS left_value,
    caller_ip /* right */ AS right_value,
    time,
    t,
    outcome
  FROM events
)
SELECT
  left_value,
  right_value,
  min(time) AS first_time,
  max(time) AS last_time,
  count(*) AS events,
  count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied,
  coalesce(min(t) >= CAST(:since AS BIGINT), false) AS is_new
FROM pairs
GROUP BY left_value, right_value
ORDER BY min(t) DESC, left_value NULLS FIRST, right_value NULLS FIRST
