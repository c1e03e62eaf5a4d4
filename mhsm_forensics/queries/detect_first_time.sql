-- Acts that nobody had asked for in the first :days days of the evidence: the first day of each. What a record leaves open is
-- taken for the gravest that it can be.
WITH named AS (
  SELECT
    *,
    @gravest
  FROM events
  WHERE coalesce(act, operation) IS NOT NULL AND coalesce(operation_class, '') <> 'authentication'
), firsts AS (
  SELECT lower(gravest) AS name, min(t) AS first_t FROM named GROUP BY lower(gravest)
), late AS (
  SELECT name, first_t FROM firsts WHERE first_t - (SELECT min(t) FROM events) >= :days * 86400e6
)
SELECT
  e.event_id, e.time, e.hsm, e.operation, e.act, e.outcome, e.actor, e.principal, e.object_id,
  e.caller_ip, e.client, e.key, e.key_name
FROM named e
JOIN late l ON l.name = lower(e.gravest)
WHERE e.t < l.first_t + 86400e6
ORDER BY
  @order
