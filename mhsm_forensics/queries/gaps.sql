-- Silences that are no part of an HSM's own rhythm. Expected: medians of the same hours on other days of their kind.
@history, sums AS (
  SELECT
    *,
    sum(rate) OVER (PARTITION BY hsm ORDER BY h ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - rate AS rate_before,
    sum(log_empty) OVER (PARTITION BY hsm ORDER BY h ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - log_empty
      AS log_before
  FROM rates
), minutes AS (
  SELECT coalesce(hsm, '') AS hsm, CAST(floor(t / 60e6) AS BIGINT) AS m, min(t) AS first_t, max(t) AS last_t
  FROM events
  GROUP BY coalesce(hsm, ''), CAST(floor(t / 60e6) AS BIGINT)
), steps AS (
  SELECT
    hsm,
    last_t AS start_t,
    lead(first_t) OVER (PARTITION BY hsm ORDER BY m) AS next_t,
    coalesce(lead(first_t) OVER (PARTITION BY hsm ORDER BY m), (SELECT max(t) FROM events)) AS end_t,
    count(*) OVER (PARTITION BY hsm) AS looks
  FROM minutes
), silences AS (
  SELECT hsm, start_t, next_t, end_t, looks, end_t - start_t AS micros FROM steps WHERE end_t - start_t > 60000000
), judged AS (
  SELECT
    x.*,
    b.rate_before + b.rate * (x.end_t / 3600e6 - b.h) - a.rate_before - a.rate * (x.start_t / 3600e6 - a.h) AS expected_events,
    -- so many silences were looked at, and one of them was bound to be the longest
    least(1e0, x.looks * exp(
      b.log_before + b.log_empty * (x.end_t / 3600e6 - b.h) - a.log_before - a.log_empty * (x.start_t / 3600e6 - a.h)
    )) AS chance,
    CAST(floor((x.start_t + x.end_t) / 2e0) AS BIGINT) AS middle_t
  FROM silences x
  JOIN sums a ON a.hsm = x.hsm AND a.h = CAST(floor(x.start_t / 3600e6) AS BIGINT)
  JOIN sums b ON b.hsm = x.hsm AND b.h = CAST(floor(x.end_t / 3600e6) AS BIGINT)
), odd AS (
  SELECT
    *,
    CAST(floor(middle_t / 86400e6) AS BIGINT) AS day,
    middle_t % 86400000000 AS clock_t,
    row_number() OVER (PARTITION BY hsm ORDER BY micros DESC, start_t) AS place
  FROM judged
  WHERE chance < 1e-2
), weeks AS (
  SELECT hsm, greatest(3e0, 1e0 + floor(count(DISTINCT day) / 7e0)) AS often FROM days WHERE day_events > 0 GROUP BY hsm
), rhythm AS (
  -- outages do not excuse each other, but what happens once a week is a rhythm, however odd each time
  SELECT
    o.hsm,
    max(CASE WHEN o.place = w.often THEN o.micros END) AS at_place,
    max(CASE WHEN o.place = w.often + 1 THEN o.micros END) AS after_place
  FROM odd o
  JOIN weeks w ON w.hsm = o.hsm
  GROUP BY o.hsm
), rare AS (
  SELECT o.*, coalesce(CASE WHEN o.place <= w.often THEN y.after_place ELSE y.at_place END, 0) AS rhythm
  FROM odd o
  JOIN weeks w ON w.hsm = o.hsm
  JOIN rhythm y ON y.hsm = o.hsm
  WHERE o.micros > 2e0 * coalesce(CASE WHEN o.place <= w.often THEN y.after_place ELSE y.at_place END, 0)
), same_clock AS (
  -- the same moment on every other day of that kind
  SELECT o.hsm, o.start_t, d.day * 86400000000 + o.clock_t AS moment_t
  FROM rare o
  JOIN (SELECT DISTINCT hsm, day, weekend FROM days) d ON d.hsm = o.hsm AND d.day <> o.day
    AND d.weekend = CASE WHEN (o.day + 3) % 7 >= 5 THEN 1 ELSE 0 END
), ordinary AS (
  SELECT c.hsm, c.start_t, max(q.micros) AS longest
  FROM same_clock c
  JOIN judged q ON q.hsm = c.hsm AND q.chance >= 1e-2 AND q.start_t <= c.moment_t AND q.end_t > c.moment_t
  GROUP BY c.hsm, c.start_t
), reported AS (
  SELECT o.*, greatest(coalesce(r.longest, 0), o.rhythm) AS longest
  FROM rare o
  LEFT JOIN ordinary r ON r.hsm = o.hsm AND r.start_t = o.start_t
  WHERE o.micros > 1.5e0 * coalesce(r.longest, 0)
), last_events AS (
  SELECT r.hsm, r.start_t, max(e.event_id) AS last_event_id
  FROM reported r
  JOIN events e ON coalesce(e.hsm, '') = r.hsm AND e.t = r.start_t
  GROUP BY r.hsm, r.start_t
), next_events AS (
  SELECT r.hsm, r.start_t, min(e.event_id) AS next_event_id
  FROM reported r
  JOIN events e ON coalesce(e.hsm, '') = r.hsm AND e.t = r.next_t
  GROUP BY r.hsm, r.start_t
)
SELECT
  nullif(r.hsm, '') AS hsm,
  r.start_t,
  r.end_t,
  r.micros / 1e6 AS seconds,
  r.expected_events,
  r.longest / 1e6 AS usual_seconds,
  r.chance,
  l.last_event_id,
  n.next_event_id
FROM reported r
JOIN last_events l ON l.hsm = r.hsm AND l.start_t = r.start_t
LEFT JOIN next_events n ON n.hsm = r.hsm AND n.start_t = r.start_t
ORDER BY hsm NULLS FIRST, r.start_t
