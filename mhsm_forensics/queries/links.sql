-- Who came from where and touched which key: the links between identities, addresses and keys.
WITH judged AS (
  SELECT
    @who,
    caller_ip,
    hsm,
    key_name,
    outcome,
    t,
    time,
    @control
  FROM events
), links AS (
  SELECT 'caller_ip' AS kind, who, caller_ip AS value, hsm, outcome, t, time, control
  FROM judged
  UNION ALL
  SELECT 'key' AS kind, who, key_name AS value, hsm, outcome, t, time, control
  FROM judged
  WHERE key_name IS NOT NULL
)
SELECT
  kind,
  who AS principal,
  value,
  hsm,
  min(time) AS first_time,
  max(time) AS last_time,
  count(*) AS events,
  count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied,
  CAST(sum(control) AS BIGINT) AS control_events,
  coalesce(min(t) >= CAST(:since AS BIGINT), false) AS is_new
FROM links
GROUP BY kind, who, value, hsm
ORDER BY kind, events DESC, who NULLS FIRST, value NULLS FIRST, hsm NULLS FIRST
