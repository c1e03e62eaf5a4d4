-- Requests for what is not there (404): paths without meaning, and names of keys that nobody ever reached in this evidence.
WITH known AS (
  SELECT DISTINCT key
  FROM events
  WHERE key IS NOT NULL AND outcome IN ('success', 'accepted')
)
SELECT
  e.event_id, e.time, e.hsm, e.operation, e.act, e.outcome, e.actor, e.principal, e.object_id,
  e.caller_ip, e.client, e.key, e.key_name,
  e.request_uri
FROM events e
LEFT JOIN known k ON k.key = e.key
WHERE e.http_status = 404 AND k.key IS NULL AND (e.key IS NOT NULL OR e.operation_class = 'unknown')
ORDER BY
  @order
