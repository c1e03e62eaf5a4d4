-- Events of principals that nobody had seen in the first :days days of the evidence.
WITH firsts AS (
  SELECT actor, min(t) AS first_t
  FROM events
  WHERE actor IS NOT NULL
  GROUP BY actor
), late AS (
  SELECT actor FROM firsts WHERE first_t - (SELECT min(t) FROM events) >= :days * 86400e6
)
SELECT
  e.event_id, e.time, e.hsm, e.operation, e.act, e.effect, e.outcome, e.actor, e.principal, e.object_id,
  e.caller_ip, e.client, e.key, e.key_name
FROM events e
JOIN late l ON l.actor = e.actor
ORDER BY
  @order
