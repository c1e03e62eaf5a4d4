-- Operations that nobody had asked for in the first :days days of the evidence: the first day of each.
WITH firsts AS (
  SELECT lower(operation) AS name, min(t) AS first_t FROM events
  WHERE operation IS NOT NULL AND coalesce(operation_class, '') <> 'authentication'
  GROUP BY lower(operation)
), late AS (
  SELECT name, first_t FROM firsts WHERE first_t - (SELECT min(t) FROM events) >= :days * 86400e6
)
SELECT
  e.event_id, e.time, e.hsm, e.operation, e.outcome, e.actor, e.principal, e.object_id,
  e.caller_ip, e.client, e.key, e.key_name
FROM events e
JOIN late l ON l.name = lower(e.operation)
WHERE e.t < l.first_t + 86400e6
ORDER BY e.t, e.event_id
