-- Hours in which a principal opened :least data keys or more with one key and closed as many with another, though it does
-- nothing like it on two other days.
WITH uses AS (
  SELECT
    coalesce(hsm, '') AS hsm_name,
    coalesce(object_id, '') AS oid,
    CAST(floor(t / 3600e6) AS BIGINT) AS h,
    CAST(floor(t / 86400e6) AS BIGINT) AS day,
    CASE WHEN lower(operation) IN ('keyunwrap', 'keydecrypt') THEN 'open' ELSE 'close' END AS kind,
    *
  FROM events
  WHERE outcome = 'success' AND key_name IS NOT NULL AND principal IS NOT NULL
    AND lower(operation) IN ('keyunwrap', 'keydecrypt', 'keywrap', 'keyencrypt')
), hours AS (
  SELECT hsm_name, principal, oid, day, h, kind, key_name, count(*) AS n
  FROM uses
  GROUP BY hsm_name, principal, oid, day, h, kind, key_name
), pairs AS (
  SELECT DISTINCT a.hsm_name, a.principal, a.oid, a.day, a.h, a.key_name AS old_key, b.key_name AS new_key
  FROM hours a
  JOIN hours b ON b.hsm_name = a.hsm_name AND b.principal = a.principal AND b.oid = a.oid AND b.h = a.h
    AND b.kind = 'close' AND b.key_name <> a.key_name AND 2 * b.n >= a.n AND b.n >= :least
  WHERE a.kind = 'open' AND a.n >= :least
), habit AS (
  SELECT hsm_name, principal, oid FROM pairs GROUP BY hsm_name, principal, oid HAVING count(DISTINCT day) > 2
)
SELECT DISTINCT
  p.old_key, p.new_key, e.kind, e.t, e.event_id, e.time, e.hsm, e.operation, e.outcome, e.principal, e.object_id, e.caller_ip,
  e.client, e.key_name
FROM pairs p
LEFT JOIN habit x ON x.hsm_name = p.hsm_name AND x.principal = p.principal AND x.oid = p.oid
JOIN uses e ON e.hsm_name = p.hsm_name AND e.principal = p.principal AND e.oid = p.oid AND e.h = p.h
  AND ((e.kind = 'open' AND e.key_name = p.old_key) OR (e.kind = 'close' AND e.key_name = p.new_key))
WHERE x.principal IS NULL
ORDER BY e.t, e.event_id, p.old_key, p.new_key
