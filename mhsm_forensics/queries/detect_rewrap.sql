-- Hours in which a principal opened :least data keys or more with one key and closed as many with another, though it does
-- nothing like it on two other days.
WITH uses AS (
  SELECT
    coalesce(hsm, '') AS hsm_name,
    CAST(floor(t / 3600e6) AS BIGINT) AS h,
    CAST(floor(t / 86400e6) AS BIGINT) AS day,
    CASE WHEN act IN ('KeyUnwrap', 'KeyDecrypt', 'KeySecureUnwrap') THEN 'open' ELSE 'close' END AS kind,
    *
  FROM events
  WHERE outcome = 'success' AND key IS NOT NULL AND actor IS NOT NULL
    AND act IN ('KeyUnwrap', 'KeyDecrypt', 'KeySecureUnwrap', 'KeyWrap', 'KeyEncrypt', 'KeySecureWrap')
), hours AS (
  SELECT hsm_name, actor, day, h, kind, key, count(*) AS n
  FROM uses
  GROUP BY hsm_name, actor, day, h, kind, key
), pairs AS (
  SELECT DISTINCT a.hsm_name, a.actor, a.day, a.h, a.key AS old_key, b.key AS new_key
  FROM hours a
  JOIN hours b ON b.hsm_name = a.hsm_name AND b.actor = a.actor AND b.h = a.h
    AND b.kind = 'close' AND b.key <> a.key AND 2 * b.n >= a.n AND b.n >= :least
  WHERE a.kind = 'open' AND a.n >= :least
), habit AS (
  SELECT hsm_name, actor FROM pairs GROUP BY hsm_name, actor HAVING count(DISTINCT day) > 2
)
SELECT DISTINCT
  p.old_key, p.new_key, e.kind, e.t, e.tick, e.evidence_id, e.source_offset, e.source_number, e.event_id, e.time, e.hsm,
  e.operation, e.act, e.outcome, e.actor, e.principal, e.object_id, e.caller_ip, e.client, e.key, e.key_name
FROM pairs p
LEFT JOIN habit x ON x.hsm_name = p.hsm_name AND x.actor = p.actor
JOIN uses e ON e.hsm_name = p.hsm_name AND e.actor = p.actor AND e.h = p.h
  AND ((e.kind = 'open' AND e.key = p.old_key) OR (e.kind = 'close' AND e.key = p.new_key))
WHERE x.actor IS NULL
ORDER BY
  @order,
  p.old_key, p.new_key
