-- Lanes of a timeline: how much each holds, and when.
WITH judged AS (
  SELECT
    t,
    outcome,
    @lane,
    @control
  FROM events
)
SELECT
  lane,
  count(*) AS events,
  count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied,
  CAST(sum(control) AS BIGINT) AS acts,
  min(t) AS first_t,
  max(t) AS last_t
FROM judged
GROUP BY lane
ORDER BY lane NULLS FIRST
