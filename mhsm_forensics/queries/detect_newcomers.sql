-- Events of principals that nobody had seen in the first :days days of the evidence.
WITH firsts AS (
  SELECT principal, coalesce(object_id, '') AS oid, min(t) AS first_t
  FROM events
  WHERE principal IS NOT NULL
  GROUP BY principal, coalesce(object_id, '')
), late AS (
  SELECT principal, oid FROM firsts WHERE first_t - (SELECT min(t) FROM events) >= :days * 86400e6
)
SELECT
  e.event_id, e.time, e.hsm, e.operation, e.effect, e.outcome, e.principal, e.object_id, e.caller_ip, e.client, e.key_name
FROM events e
JOIN late l ON l.principal = e.principal AND l.oid = coalesce(e.object_id, '')
ORDER BY e.t, e.event_id
