-- Hours in which a principal listed or read :least keys or more, though it does nothing like it on two other days: what it
-- read of keys, rights and settings in them.
WITH reads AS (
  SELECT
    coalesce(hsm, '') AS hsm_name,
    CAST(floor(t / 3600e6) AS BIGINT) AS h,
    CAST(floor(t / 86400e6) AS BIGINT) AS day,
    *
  FROM events
  WHERE effect IN ('read', 'change|read') AND outcome = 'success' AND operation_class IN ('key_read', 'access_control', 'settings')
), hours AS (
  SELECT hsm_name, actor, day, h, count(DISTINCT key) AS keys FROM reads GROUP BY hsm_name, actor, day, h
), peaks AS (
  SELECT hsm_name, actor, day, max(keys) AS keys FROM hours GROUP BY hsm_name, actor, day
), odd AS (
  SELECT a.hsm_name, a.actor, a.h
  FROM hours a
  LEFT JOIN peaks b ON b.hsm_name = a.hsm_name AND b.actor IS NOT DISTINCT FROM a.actor AND b.day <> a.day
    AND 2 * b.keys >= a.keys
  WHERE a.keys >= :least
  GROUP BY a.hsm_name, a.actor, a.h
  HAVING count(b.day) < 2
)
SELECT e.event_id, e.time, e.hsm, e.operation, e.act, e.outcome, e.actor, e.principal, e.object_id,
  e.caller_ip, e.client, e.key, e.key_name
FROM odd o
JOIN reads e ON e.hsm_name = o.hsm_name AND e.actor IS NOT DISTINCT FROM o.actor AND e.h = o.h
ORDER BY
  @order
