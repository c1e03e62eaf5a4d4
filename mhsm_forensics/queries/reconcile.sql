-- Events that one route told of and another did not, per HSM, hour and pair of routes.
WITH told AS (
  @told
), hours AS (
  SELECT hsm, route, CAST(floor(t / 3600e6) AS BIGINT) AS h, count(*) AS records
  FROM told
  GROUP BY hsm, route, CAST(floor(t / 3600e6) AS BIGINT)
), routes AS (
  SELECT DISTINCT route FROM told
), spans AS (
  SELECT hsm, route, min(t) AS first_t, max(t) AS last_t FROM told GROUP BY hsm, route
), lacking AS (
  SELECT r.*, CAST(floor(r.t / 3600e6) AS BIGINT) AS h, p.route AS other_route, s.first_t, s.last_t
  FROM told r
  JOIN routes p ON p.route <> r.route
  LEFT JOIN spans s ON s.hsm = r.hsm AND s.route = p.route
  LEFT JOIN told o ON o.route = p.route AND o.event_id = r.event_id
  WHERE o.event_id IS NULL
)
SELECT
  date_trunc('hour', min(l.time)) AS hour,
  nullif(l.hsm, '') AS hsm,
  l.route,
  l.other_route,
  max(a.records) AS records,
  coalesce(max(b.records), 0) AS other_records,
  count(*) AS lacking,
  -- outside of the time of the other route's records of that HSM, it may simply not have been collected
  count(CASE WHEN l.t BETWEEN l.first_t AND l.last_t THEN 1 END) AS lacking_within,
  min(l.time) AS first_time,
  max(l.time) AS last_time,
  min(l.event_id) AS event_id
FROM lacking l
JOIN hours a ON a.hsm = l.hsm AND a.route = l.route AND a.h = l.h
LEFT JOIN hours b ON b.hsm = l.hsm AND b.route = l.other_route AND b.h = l.h
GROUP BY l.hsm, l.h, l.route, l.other_route
ORDER BY hour, hsm NULLS FIRST, l.route, l.other_route
