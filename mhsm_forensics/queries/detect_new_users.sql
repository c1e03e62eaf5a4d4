-- Who opened or signed with a key for the first time, :days days or more after others began to do so with it.
WITH uses AS (
  SELECT
    CASE WHEN act = 'KeySign' THEN 'sign' ELSE 'open' END AS kind,
    *
  FROM events
  WHERE outcome = 'success' AND key IS NOT NULL AND actor IS NOT NULL
    AND act IN ('KeySign', 'KeyDecrypt', 'KeyUnwrap', 'KeySecureUnwrap', 'KeyDerive')
), users AS (
  SELECT actor, key, kind, min(t) AS first_t FROM uses GROUP BY actor, key, kind
), known AS (
  SELECT key, kind, min(t) AS known_t FROM uses GROUP BY key, kind
), late AS (
  SELECT u.actor, u.key, u.kind
  FROM users u
  JOIN known k ON k.key = u.key AND k.kind = u.kind
  WHERE u.first_t - k.known_t >= :days * 86400e6
)
SELECT e.kind, e.event_id, e.time, e.hsm, e.operation, e.act, e.outcome, e.actor, e.principal, e.object_id,
  e.caller_ip, e.client, e.key, e.key_name
FROM uses e
JOIN late l ON l.actor = e.actor AND l.key = e.key AND l.kind = e.kind
ORDER BY
  @order
