-- Hours in which a principal used keys far more than in the busiest hour of its ordinary days.
WITH uses AS (
  SELECT
    coalesce(hsm, '') AS hsm_name,
    coalesce(principal, '') AS who,
    coalesce(object_id, '') AS oid,
    CAST(floor(t / 3600e6) AS BIGINT) AS h,
    CAST(floor(t / 86400e6) AS BIGINT) AS day,
    *
  FROM events
  WHERE effect = 'use' AND outcome = 'success'
), hours AS (
  SELECT hsm_name, who, oid, day, h, count(*) AS n FROM uses GROUP BY hsm_name, who, oid, day, h
), peaks AS (
  SELECT hsm_name, who, oid, day, max(n) AS peak FROM hours GROUP BY hsm_name, who, oid, day
), centred AS (
  SELECT *, median(peak) OVER (PARTITION BY hsm_name, who, oid) AS middle FROM peaks
), usual AS (
  SELECT
    hsm_name,
    who,
    oid,
    count(*) AS days,
    -- on fewer than four days the busiest may be the burst itself: nothing is usual then
    CASE WHEN count(*) >= 4 THEN max(middle) ELSE 0e0 END AS middle,
    CASE WHEN count(*) >= 4 THEN median(abs(peak - middle)) ELSE 0e0 END AS spread
  FROM centred
  GROUP BY hsm_name, who, oid
), known AS (
  SELECT coalesce(principal, '') AS who, coalesce(object_id, '') AS oid, min(t) AS known_t
  FROM events
  GROUP BY coalesce(principal, ''), coalesce(object_id, '')
), bursts AS (
  SELECT a.hsm_name, a.who, a.oid, a.h, u.days, u.middle, k.known_t
  FROM hours a
  JOIN usual u ON u.hsm_name = a.hsm_name AND u.who = a.who AND u.oid = a.oid
  JOIN known k ON k.who = a.who AND k.oid = a.oid
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
  e.outcome,
  e.principal,
  e.object_id,
  e.caller_ip,
  e.client,
  e.key_name
FROM bursts b
JOIN uses e ON e.hsm_name = b.hsm_name AND e.who = b.who AND e.oid = b.oid AND e.h = b.h
ORDER BY e.t, e.event_id
