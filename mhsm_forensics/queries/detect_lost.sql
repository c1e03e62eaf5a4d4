-- Requests for a key that was deleted and not brought back before: 404 after its deletion.
WITH gone AS (
  SELECT key, t
  FROM events
  WHERE key IS NOT NULL AND effect = 'destroy' AND operation_class = 'key_lifecycle' AND outcome IN ('success', 'accepted')
), back AS (
  SELECT key, t
  FROM events
  WHERE key IS NOT NULL AND effect = 'change' AND outcome IN ('success', 'accepted')
    AND lower(operation) IN ('keyrecover', 'keycreate', 'keyimport', 'keyrestore', 'selectivekeyrestorecreate')
), asked AS (
  SELECT
    e.event_id,
    max(g.t) AS gone_t
  FROM events e
  JOIN gone g ON g.key = e.key AND g.t < e.t
  WHERE e.http_status = 404 AND e.effect IN ('use', 'read')
  GROUP BY e.event_id
)
SELECT e.event_id, e.time, e.hsm, e.operation, e.outcome, e.actor, e.principal, e.object_id,
  e.caller_ip, e.client, e.key, e.key_name
FROM asked a
JOIN events e ON e.event_id = a.event_id
LEFT JOIN back b ON b.key = e.key AND b.t > a.gone_t AND b.t < e.t
WHERE b.t IS NULL
ORDER BY e.t, e.event_id
