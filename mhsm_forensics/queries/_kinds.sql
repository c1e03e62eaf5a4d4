kinds AS (
  SELECT kind
  FROM (
    VALUES ('principal'), ('object_id'), ('caller_ip'), ('token_ip'), ('key'), ('hsm'), ('client'), ('operation')
  ) AS every (kind)
), named AS (
  SELECT
    kind,
    CASE kind
      WHEN 'principal' THEN CASE WHEN actor IS NULL THEN principal ELSE actor END
      WHEN 'object_id' THEN object_id
      WHEN 'caller_ip' THEN caller_ip
      WHEN 'token_ip' THEN token_ip
      WHEN 'key' THEN key_name
      WHEN 'hsm' THEN hsm
      WHEN 'client' THEN client
      ELSE operation
    END AS value,
    CASE WHEN kind = 'key' THEN hsm END AS hsm,
    outcome,
    first_time,
    last_time,
    events,
    control_events
  FROM alike
  CROSS JOIN kinds
)
SELECT
  kind,
  value,
  hsm,
  min(first_time) AS first_time,
  max(last_time) AS last_time,
  CAST(sum(events) AS BIGINT) AS events,
  CAST(sum(CASE WHEN outcome = 'success' THEN events ELSE 0 END) AS BIGINT) AS success,
  CAST(sum(CASE WHEN outcome = 'accepted' THEN events ELSE 0 END) AS BIGINT) AS accepted,
  CAST(sum(CASE WHEN outcome = 'denied' THEN events ELSE 0 END) AS BIGINT) AS denied,
  CAST(sum(CASE WHEN outcome = 'failure' THEN events ELSE 0 END) AS BIGINT) AS failure,
  CAST(sum(CASE WHEN outcome = 'unknown' THEN events ELSE 0 END) AS BIGINT) AS unknown,
  CAST(sum(control_events) AS BIGINT) AS control_events
FROM named
WHERE value IS NOT NULL OR kind IN ('principal', 'caller_ip', 'client', 'operation')
GROUP BY kind, value, hsm
ORDER BY kind, events DESC, value NULLS FIRST, hsm NULLS FIRST
