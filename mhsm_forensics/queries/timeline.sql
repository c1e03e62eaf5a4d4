-- Who did what, when: events per lane, group of operations and bin; at most about :bins bins of a round width. Lanes are
-- the values of the column that :by names; counted are events from :start up to and without :end.
WITH chosen AS (
  SELECT * FROM events WHERE t >= coalesce(CAST(:start AS BIGINT), t) AND t < coalesce(CAST(:end AS BIGINT), t + 1)
), span AS (
  -- what is all of one moment fills a minute
  SELECT coalesce(nullif(max(t) - min(t), 0), CAST(60e6 * :bins AS BIGINT)) AS micros FROM chosen
), width AS (
  SELECT coalesce(min(w), 86400000000 * CAST(ceil(max(micros) / 86400e6 / :bins) AS BIGINT)) AS w
  FROM span
  LEFT JOIN (
    VALUES (1000), (2000), (5000), (10000), (20000), (50000), (100000), (200000), (500000),
           (1000000), (2000000), (5000000), (10000000), (15000000), (30000000), (60000000), (120000000), (300000000),
           (900000000), (1800000000), (3600000000), (7200000000), (10800000000), (21600000000), (43200000000),
           (86400000000)
  ) AS widths(w)
    ON micros / 1e0 <= :bins * (w / 1e0)
), grouped AS (
  SELECT
    @lane,
    outcome,
    @group,
    CAST(floor(t / (w * 1e0)) AS BIGINT) * w AS bin_t,
    w
  FROM chosen
  CROSS JOIN width
)
SELECT
  lane,
  bin_t AS bin_start_t,
  bin_t + w AS bin_end_t,
  group_name,
  count(*) AS events,
  count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied
FROM grouped
GROUP BY lane, bin_t, w, group_name
ORDER BY bin_t, lane NULLS FIRST, group_name
