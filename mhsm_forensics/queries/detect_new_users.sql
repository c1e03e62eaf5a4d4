-- Who opened or signed with a key for the first time, :days days or more after others began to do so with it.
WITH uses AS (
  SELECT
    coalesce(hsm, '') AS hsm_name,
    coalesce(object_id, '') AS oid,
    CASE WHEN lower(operation) = 'keysign' THEN 'sign' ELSE 'open' END AS kind,
    *
  FROM events
  WHERE outcome = 'success' AND key_name IS NOT NULL AND principal IS NOT NULL
    AND lower(operation) IN ('keysign', 'keydecrypt', 'keyunwrap')
), users AS (
  SELECT hsm_name, principal, oid, key_name, kind, min(t) AS first_t FROM uses GROUP BY hsm_name, principal, oid, key_name, kind
), known AS (
  SELECT hsm_name, key_name, kind, min(t) AS known_t FROM uses GROUP BY hsm_name, key_name, kind
), late AS (
  SELECT u.hsm_name, u.principal, u.oid, u.key_name, u.kind
  FROM users u
  JOIN known k ON k.hsm_name = u.hsm_name AND k.key_name = u.key_name AND k.kind = u.kind
  WHERE u.first_t - k.known_t >= :days * 86400e6
)
SELECT e.kind, e.event_id, e.time, e.hsm, e.operation, e.outcome, e.principal, e.object_id, e.caller_ip, e.client, e.key_name
FROM uses e
JOIN late l ON l.hsm_name = e.hsm_name AND l.principal = e.principal AND l.oid = e.oid AND l.key_name = e.key_name
  AND l.kind = e.kind
ORDER BY e.t, e.event_id
