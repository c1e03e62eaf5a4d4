-- Hours in which a principal used keys far more than in the busiest hour of its ordinary days.
WITH uses AS (
  SELECT
    coalesce(hsm, '') AS hsm_name,
    CAST(floor(t / 3600e6) AS BIGINT) AS h,
    CAST(floor(t / 86400e6) AS BIGINT) AS day,
    *
  FROM events
  WHERE effect = 'use' AND outcome = 'success'
), hours AS (
  SELECT hsm_name, actor, day, h, count(*) AS n FROM uses GROUP BY hsm_name, actor, day, h
), peaks AS (
  SELECT hsm_name, actor, day, max(n) AS peak FROM hours GROUP BY hsm_name, actor, day
), centred AS (
  SELECT *, median(peak) OVER (PARTITION BY hsm_name, actor) AS middle FROM peaks
), usual AS (
  SELECT
    hsm_name,
    actor,
    count(*) AS days,
    -- on fewer than four days the busiest may be the burst itself: nothing is usual then
    CASE WHEN count(*) >= 4 THEN max(middle) ELSE 0e0 END AS middle,
    CASE WHEN count(*) >= 4 THEN median(abs(peak - middle)) ELSE 0e0 END AS spread
  FROM centred
  GROUP BY hsm_name, actor
), known AS (
  SELECT actor, min(t) AS known_t
  FROM events
  GROUP BY actor
), bursts AS (
  SELECT a.hsm_name, a.actor, a.h, u.days, u.middle, k.known_t
  FROM hours a
  JOIN usual u ON u.hsm_name = a.hsm_name AND u.actor IS NOT DISTINCT FROM a.actor
  JOIN known k ON k.actor IS NOT DISTINCT FROM a.actor
  WHERE a.n >= :least
    AND a.n > 3e0 * u.middle
    -- of Poisson counts the spread is at least the root of the middle
    AND a.n > u.middle + 6e0 * greatest(1.4826e0 * u.spread, sqrt(u.middle))
    AND a.h * 3600e6 - (SELECT min(t) FROM events) >= 3e0 * 86400e6
)
SELECT
  b.h,
  b.days,
  b.middle AS usual_peak,
  (b.h * 3600e6 - b.known_t) / 86400e6 AS known_days,
  e.event_id,
  e.time,
  e.hsm,
  e.operation,
  e.act,
  e.outcome,
  e.actor,
  e.principal,
  e.object_id,
  e.caller_ip,
  e.client,
  e.key,
  e.key_name
FROM bursts b
JOIN uses e ON e.hsm_name = b.hsm_name AND e.actor IS NOT DISTINCT FROM b.actor AND e.h = b.h
ORDER BY
  @order
