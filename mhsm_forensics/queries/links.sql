-- Who came from where and touched which key: the links between identities, addresses and keys.
WITH judged AS (
  SELECT
    principal,
    caller_ip,
    hsm,
    key_name,
    outcome,
    t,
    time,
    @control
  FROM events
), links AS (
  SELECT 'caller_ip' AS kind, principal, caller_ip AS value, hsm, outcome, t, time, control
  FROM judged
  UNION ALL
  SELECT 'key' AS kind, principal, key_name AS value, hsm, outcome, t, time, control
  FROM judged
  WHERE key_name IS NOT NULL
)
SELECT
  kind,
  principal,
  value,
  hsm,
  min(time) AS first_time,
  max(time) AS last_time,
  count(*) AS events,
  count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied,
  CAST(sum(control) AS BIGINT) AS control_events,
  coalesce(min(t) >= CAST(:since AS BIGINT), false) AS is_new
FROM links
GROUP BY kind, principal, value, hsm
ORDER BY kind, events DESC, principal NULLS FIRST, value NULLS FIRST, hsm NULLS FIRST
