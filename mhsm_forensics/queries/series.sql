-- Events of each series by bins of :width microseconds. A series is one combination of the columns that are asked for; the
-- others are null.
WITH chosen AS (
  SELECT
    CASE WHEN :by_hsm THEN hsm END AS one_hsm,
    CASE WHEN :by_operation THEN operation END AS one_operation,
    CASE WHEN :by_principal THEN principal END AS one_principal,
    CASE WHEN :by_caller_ip THEN caller_ip END AS one_caller_ip,
    CASE WHEN :by_key_name THEN key_name END AS one_key_name,
    CAST(floor(t / CAST(:width AS DOUBLE)) AS BIGINT) AS bin,
    outcome,
    coalesce(hsm, '') || '/' || key_name AS its_key,
    coalesce(principal, object_id) AS who,
    duration_ms
  FROM events
), counted AS (
  SELECT
    one_hsm,
    one_operation,
    one_principal,
    one_caller_ip,
    one_key_name,
    bin,
    count(*) AS events,
    count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied,
    count(DISTINCT its_key) AS distinct_keys,
    count(DISTINCT who) AS distinct_callers,
    median(duration_ms) AS duration_ms
  FROM chosen
  GROUP BY one_hsm, one_operation, one_principal, one_caller_ip, one_key_name, bin
)
SELECT
  dense_rank() OVER (
    ORDER BY one_hsm NULLS FIRST, one_operation NULLS FIRST, one_principal NULLS FIRST, one_caller_ip NULLS FIRST,
      one_key_name NULLS FIRST
  ) AS series,
  one_hsm AS hsm,
  one_operation AS operation,
  one_principal AS principal,
  one_caller_ip AS caller_ip,
  one_key_name AS key_name,
  bin,
  events,
  denied,
  distinct_keys,
  distinct_callers,
  duration_ms
FROM counted
ORDER BY series, bin
