-- Addresses and clients that a principal took up after it had worked without them on :days days or more.
-- Whoever takes up a new one every few days is no news; but many on one day are, each of them.
WITH judged AS (
  SELECT
    *,
    @control,
    -- what may have changed something by its route; but whoever reads keys may, by theirs, have changed them
    CASE WHEN effect LIKE '%|read' AND operation_class <> 'key_read' THEN 1 ELSE 0 END AS may_control,
    CAST(floor(t / 86400e6) AS BIGINT) AS day
  FROM events
  WHERE actor IS NOT NULL
), places AS (
  SELECT 'caller_ip' AS kind, caller_ip AS place, actor, min(t) AS first_t
  FROM judged
  WHERE caller_ip IS NOT NULL
  GROUP BY caller_ip, actor
  UNION ALL
  SELECT 'client' AS kind, client AS place, actor, min(t) AS first_t
  FROM judged
  WHERE client IS NOT NULL
  GROUP BY client, actor
), numbered AS (
  SELECT
    *,
    count(*) OVER (
      PARTITION BY kind, actor ORDER BY first_t RANGE BETWEEN UNBOUNDED PRECEDING AND 86400000000 PRECEDING
    ) AS earlier_places
  FROM places
), days AS (
  SELECT actor, day, min(t) AS first_t
  FROM judged
  GROUP BY actor, day
), news AS (
  SELECT p.kind, p.place, p.actor, p.first_t, p.earlier_places, count(*) AS earlier_days
  FROM numbered p
  JOIN days d ON d.actor = p.actor AND d.first_t < p.first_t
  GROUP BY p.kind, p.place, p.actor, p.first_t, p.earlier_places
  HAVING count(*) >= :days AND p.earlier_places > 0 AND 3 * p.earlier_places <= count(*) + 3
), privileged AS (
  SELECT actor, max(greatest(control, may_control)) AS control FROM judged
  GROUP BY actor
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
  e.act,
  e.effect,
  e.outcome,
  e.control,
  e.may_control,
  e.actor,
  e.principal,
  e.principal_type,
  e.object_id,
  e.ip_scope,
  e.caller_ip,
  e.client,
  e.key,
  e.key_name
FROM news n
JOIN privileged v ON v.actor = n.actor
JOIN judged e ON e.actor = n.actor
  AND n.place = CASE WHEN n.kind = 'client' THEN e.client ELSE e.caller_ip END
ORDER BY
  @order,
  n.kind
