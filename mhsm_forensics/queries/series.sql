-- Events of each series by bins of :width microseconds. A series is one combination of the columns that are asked for; the
-- others are null.
WITH chosen AS (
  SELECT
    @series,
    outcome,
    key AS its_key,
    actor,
    duration_ms
  FROM events
), counted AS (
  SELECT
    one_hsm,
    one_operation,
    one_principal,
    one_caller_ip,
    one_key,
    bin,
    count(*) AS events,
    count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied,
    count(DISTINCT its_key) AS distinct_keys,
    count(DISTINCT actor) AS distinct_callers,
    median(duration_ms) AS duration_ms
  FROM chosen
  GROUP BY one_hsm, one_operation, one_principal, one_caller_ip, one_key, bin
)
SELECT
  @series_names,
  events,
  denied,
  distinct_keys,
  distinct_callers,
  duration_ms
FROM counted
ORDER BY series, bin
