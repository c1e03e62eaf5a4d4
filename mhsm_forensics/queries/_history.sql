WITH counts AS (
  SELECT coalesce(hsm, '') AS hsm, CAST(floor(t / 3600e6) AS BIGINT) AS h, count(*) AS n
  FROM events
  GROUP BY coalesce(hsm, ''), CAST(floor(t / 3600e6) AS BIGINT)
), spans AS (
  SELECT hsm, min(h) AS first_h, max(h) AS own_last_h, (SELECT max(h) FROM counts) AS last_h FROM counts GROUP BY hsm
), digits AS (
  SELECT d FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS v(d)
), hours AS (
  SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d + 100000 * g.d AS k
  FROM digits a CROSS JOIN digits b CROSS JOIN digits c CROSS JOIN digits e CROSS JOIN digits f CROSS JOIN digits g
), spine AS (
  SELECT hsm, first_h + k AS h, first_h, own_last_h FROM spans JOIN hours ON k <= last_h - first_h
), filled AS (
  SELECT
    s.hsm,
    s.h,
    s.first_h,
    s.own_last_h,
    coalesce(n, 0) AS n,
    CAST(floor(s.h / 24e0) AS BIGINT) AS day,
    s.h % 24 AS clock,
    -- 1 January 1970 was a Thursday
    CASE WHEN (CAST(floor(s.h / 24e0) AS BIGINT) + 3) % 7 >= 5 THEN 1 ELSE 0 END AS weekend
  FROM spine s
  LEFT JOIN counts c ON c.hsm = s.hsm AND c.h = s.h
), days AS (
  SELECT
    *,
    sum(n) OVER (PARTITION BY hsm, day) AS day_events,
    count(*) OVER (PARTITION BY hsm, day) AS day_hours
  FROM filled
), centred AS (
  -- a day without any event is no history: it may be the outage itself
  SELECT *, median(n) OVER (PARTITION BY hsm, weekend, clock) AS middle FROM days WHERE day_events > 0
), slots AS (
  SELECT hsm, weekend, clock, max(middle) AS middle, median(abs(n - middle)) AS spread, count(*) AS days
  FROM centred
  GROUP BY hsm, weekend, clock
), whole_days AS (
  SELECT hsm, weekend, median(day_events) AS middle, count(*) AS days
  FROM days
  WHERE day_events > 0 AND day_hours = 24 AND clock = 0
  GROUP BY hsm, weekend
), usual AS (
  SELECT
    d.*,
    CASE WHEN s.days - CASE WHEN d.day_events > 0 THEN 1 ELSE 0 END >= 3 THEN s.middle END AS expected,
    -- of an HSM with an event now and then every hour's median is 0, and yet a day without any can be odd
    CASE WHEN d.day_events = 0 AND d.day_hours = 24 AND w.days >= 3 THEN w.middle / 24e0 ELSE 0e0 END AS by_day,
    greatest(1e0, 1.4826e0 * 1.4826e0 * s.spread * s.spread / nullif(s.middle, 0e0)) AS dispersion
  FROM days d
  LEFT JOIN slots s ON s.hsm = d.hsm AND s.weekend = d.weekend AND s.clock = d.clock
  LEFT JOIN whole_days w ON w.hsm = d.hsm AND w.weekend = d.weekend
), rates AS (
  SELECT
    *,
    greatest(coalesce(expected, 0e0), by_day) AS rate,
    -- log of the chance of an empty hour: negative binomial, which is Poisson where the counts vary no more than that
    -greatest(coalesce(expected, 0e0), by_day)
      * CASE WHEN coalesce(dispersion, 1e0) > 1.001e0 THEN ln(dispersion) / (dispersion - 1e0) ELSE 1e0 END AS log_empty
  FROM usual
)
