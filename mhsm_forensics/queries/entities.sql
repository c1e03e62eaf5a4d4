-- Every value that can be asked about, by its kind: since when, how often, and how it ended. Nulls of a kind that every
-- request has are a value of their own.
WITH judged AS (
  SELECT
    principal,
    object_id,
    caller_ip,
    token_ip,
    token_id,
    hsm,
    key_name,
    client,
    operation,
    outcome,
    time,
    @control
  FROM events
), grouped AS (
  SELECT
    CASE
      WHEN grouping(principal) = 0 THEN 'principal'
      WHEN grouping(object_id) = 0 THEN 'object_id'
      WHEN grouping(caller_ip) = 0 THEN 'caller_ip'
      WHEN grouping(token_ip) = 0 THEN 'token_ip'
      WHEN grouping(token_id) = 0 THEN 'token_id'
      WHEN grouping(key_name) = 0 THEN 'key'
      WHEN grouping(hsm) = 0 THEN 'hsm'
      WHEN grouping(client) = 0 THEN 'client'
      ELSE 'operation'
    END AS kind,
    CASE
      WHEN grouping(key_name) = 0 THEN key_name
      ELSE coalesce(principal, object_id, caller_ip, token_ip, token_id, hsm, client, operation)
    END AS value,
    CASE WHEN grouping(key_name) = 0 THEN hsm END AS hsm,
    min(time) AS first_time,
    max(time) AS last_time,
    count(*) AS events,
    count(CASE WHEN outcome = 'success' THEN 1 END) AS success,
    count(CASE WHEN outcome = 'accepted' THEN 1 END) AS accepted,
    count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied,
    count(CASE WHEN outcome = 'failure' THEN 1 END) AS failure,
    count(CASE WHEN outcome = 'unknown' THEN 1 END) AS unknown,
    CAST(sum(control) AS BIGINT) AS control_events
  FROM judged
  GROUP BY GROUPING SETS (
    (principal), (object_id), (caller_ip), (token_ip), (token_id), (hsm, key_name), (hsm), (client), (operation)
  )
)
SELECT *
FROM grouped
WHERE value IS NOT NULL OR kind IN ('principal', 'caller_ip', 'client', 'operation')
ORDER BY kind, events DESC, value NULLS FIRST, hsm NULLS FIRST
