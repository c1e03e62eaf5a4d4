-- Acts at an hour, within two of which the principal worked on less than a fifth of its earlier days, of which there are
-- :days or more; or at a weekend, where it never worked on twice as many days.
WITH judged AS (
  SELECT
    *,
    @control,
    CAST(floor(t / 86400e6) AS BIGINT) AS day,
    CAST(floor(t / 3600e6) AS BIGINT) % 24 AS clock,
    -- 1 January 1970 was a Thursday
    CASE WHEN (CAST(floor(t / 86400e6) AS BIGINT) + 3) % 7 >= 5 THEN 1 ELSE 0 END AS weekend
  FROM events
  WHERE actor IS NOT NULL AND coalesce(operation_class, '') <> 'authentication'
), worked AS (
  SELECT DISTINCT actor, day, clock, weekend FROM judged
), acts AS (
  SELECT DISTINCT actor, day, clock, weekend
  FROM judged
  WHERE control = 1 AND outcome IN ('success', 'accepted', 'unknown')
), odd AS (
  SELECT a.actor, a.day, a.clock
  FROM acts a
  JOIN worked w ON w.actor = a.actor AND w.day < a.day
  GROUP BY a.actor, a.day, a.clock, a.weekend
  HAVING count(DISTINCT w.day) >= :days
    AND (count(DISTINCT CASE WHEN least(abs(w.clock - a.clock), 24 - abs(w.clock - a.clock)) <= 2 THEN w.day END) * 5
        < count(DISTINCT w.day)
      OR (a.weekend = 1 AND max(w.weekend) = 0 AND count(DISTINCT w.day) >= 2 * :days))
)
SELECT
  e.event_id, e.time, e.hsm, e.operation, e.act, e.effect, e.outcome, e.actor, e.principal, e.object_id,
  e.caller_ip, e.client, e.key, e.key_name
FROM odd o
JOIN judged e ON e.actor = o.actor AND e.day = o.day AND e.clock = o.clock
WHERE e.control = 1 AND e.outcome IN ('success', 'accepted', 'unknown')
ORDER BY
  @order
