-- What principals did in the first :hours hours after a silence of :days days or more, ten times as long as their usual pause
-- between days of work and half as long again as the longest; on :logged days of the silence their HSMs had events of others.
WITH judged AS (
  SELECT
    *,
    @control,
    coalesce(hsm, '') AS hsm_name,
    CAST(floor(t / 86400e6) AS BIGINT) AS day
  FROM events
  WHERE coalesce(operation_class, '') <> 'authentication'
), worked AS (
  SELECT actor, day, min(t) AS first_t, max(t) AS last_t
  FROM judged
  WHERE actor IS NOT NULL
  GROUP BY actor, day
), pauses AS (
  SELECT
    actor,
    day,
    first_t,
    lag(day) OVER (PARTITION BY actor ORDER BY day) AS day_before,
    first_t - lag(last_t) OVER (PARTITION BY actor ORDER BY day) AS pause
  FROM worked
), odd AS (
  SELECT p.actor, p.day, p.day_before, p.first_t, p.pause, median(q.pause) AS usual
  FROM pauses p
  JOIN pauses q ON q.actor = p.actor AND q.day < p.day AND q.pause IS NOT NULL
  WHERE p.pause >= :days * 86400e6
  GROUP BY p.actor, p.day, p.day_before, p.first_t, p.pause
  HAVING count(*) >= 2 AND p.pause >= 10e0 * median(q.pause) AND p.pause >= 1.5e0 * max(q.pause)
), homes AS (
  SELECT DISTINCT actor, hsm_name FROM judged WHERE actor IS NOT NULL
), logged AS (
  SELECT DISTINCT hsm_name, day FROM judged
), covered AS (
  SELECT o.actor, o.day
  FROM odd o
  JOIN homes h ON h.actor = o.actor
  JOIN logged l ON l.hsm_name = h.hsm_name AND l.day > o.day_before AND l.day < o.day
  GROUP BY o.actor, o.day
  HAVING count(DISTINCT l.day) >= :logged
)
SELECT
  o.first_t AS return_t, o.pause / 1e6 AS silent_seconds, o.usual / 1e6 AS usual_seconds, e.control, e.event_id, e.time, e.hsm,
  e.operation, e.act, e.operation_class, e.effect, e.outcome, e.actor, e.principal, e.object_id,
  e.caller_ip, e.client, e.key, e.key_name
FROM odd o
JOIN covered c ON c.actor = o.actor AND c.day = o.day
JOIN judged e ON e.actor = o.actor AND e.t >= o.first_t AND e.t < o.first_t + :hours * 3600e6
WHERE (e.control = 1 AND e.outcome IN ('success', 'accepted', 'unknown')) OR (e.effect = 'use' AND e.outcome = 'success')
ORDER BY
  @order
