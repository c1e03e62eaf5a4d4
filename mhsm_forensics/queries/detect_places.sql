-- Addresses and clients that a principal took up after it had worked without them on :days days or more.
-- Whoever takes up a new one every few days is no news; but many on one day are, each of them.
WITH judged AS (
  SELECT
    *,
    @control,
    CAST(floor(t / 86400e6) AS BIGINT) AS day
  FROM events
  WHERE principal IS NOT NULL
), places AS (
  SELECT 'caller_ip' AS kind, caller_ip AS place, principal, coalesce(object_id, '') AS oid, min(t) AS first_t
  FROM judged
  WHERE caller_ip IS NOT NULL
  GROUP BY caller_ip, principal, coalesce(object_id, '')
  UNION ALL
  SELECT 'client' AS kind, client AS place, principal, coalesce(object_id, '') AS oid, min(t) AS first_t
  FROM judged
  WHERE client IS NOT NULL
  GROUP BY client, principal, coalesce(object_id, '')
), numbered AS (
  SELECT
    *,
    count(*) OVER (
      PARTITION BY kind, principal, oid ORDER BY first_t RANGE BETWEEN UNBOUNDED PRECEDING AND 86400000000 PRECEDING
    ) AS earlier_places
  FROM places
), days AS (
  SELECT principal, coalesce(object_id, '') AS oid, day, min(t) AS first_t
  FROM judged
  GROUP BY principal, coalesce(object_id, ''), day
), news AS (
  SELECT p.kind, p.place, p.principal, p.oid, p.first_t, p.earlier_places, count(*) AS earlier_days
  FROM numbered p
  JOIN days d ON d.principal = p.principal AND d.oid = p.oid AND d.first_t < p.first_t
  GROUP BY p.kind, p.place, p.principal, p.oid, p.first_t, p.earlier_places
  HAVING count(*) >= :days AND p.earlier_places > 0 AND 3 * p.earlier_places <= count(*) + 3
), privileged AS (
  SELECT principal, coalesce(object_id, '') AS oid, max(control) AS control FROM judged
  GROUP BY principal, coalesce(object_id, '')
)
SELECT
  n.kind,
  n.place,
  n.earlier_places,
  n.earlier_days,
  v.control AS privileged,
  e.event_id,
  e.time,
  e.hsm,
  e.operation,
  e.effect,
  e.outcome,
  e.control,
  e.principal,
  e.principal_type,
  e.object_id,
  e.ip_scope,
  e.caller_ip,
  e.client,
  e.key_name
FROM news n
JOIN privileged v ON v.principal = n.principal AND v.oid = n.oid
JOIN judged e ON e.principal = n.principal AND coalesce(e.object_id, '') = n.oid
  AND n.place = CASE WHEN n.kind = 'client' THEN e.client ELSE e.caller_ip END
ORDER BY e.t, e.event_id, n.kind
