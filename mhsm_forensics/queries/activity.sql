-- Who did what, when: events per principal, group of operations and bin; at most about :bins bins of a round width.
WITH span AS (
  SELECT min(t) AS first_t, max(t) AS last_t FROM events
), width AS (
  SELECT coalesce(min(w), 86400000000 * CAST(ceil(max(last_t - first_t) / 86400e6 / :bins) AS BIGINT)) AS w
  FROM span
  LEFT JOIN (
    VALUES (60000000), (300000000), (900000000), (1800000000), (3600000000), (7200000000), (10800000000),
           (21600000000), (43200000000), (86400000000)
  ) AS widths(w)
    ON (last_t - first_t) / 1e0 <= :bins * (w / 1e0)
), grouped AS (
  SELECT
    principal,
    outcome,
    -- group: what destroys is destructive and what reads is a read, whatever its class
    CASE
      WHEN effect = 'destroy' THEN 'destructive'
      WHEN operation_class = 'authentication' THEN 'other'
      WHEN effect = 'read' AND NOT (operation_class = 'access_control' AND coalesce(http_status, 0) = 201) THEN 'read'
      WHEN operation_class = 'key_read' THEN 'read'
      WHEN operation_class = 'crypto' THEN 'crypto'
      WHEN operation_class = 'key_lifecycle' THEN 'key lifecycle'
      WHEN operation_class = 'access_control' THEN 'access control'
      WHEN operation_class IN ('key_backup', 'key_release', 'hsm_backup', 'hsm_restore', 'security_domain')
        THEN 'backup / domain'
      ELSE 'other'
    END AS group_name,
    CAST(floor(t / (w * 1e0)) AS BIGINT) * w AS bin_t,
    w
  FROM events
  CROSS JOIN width
)
SELECT
  principal,
  bin_t AS bin_start_t,
  bin_t + w AS bin_end_t,
  group_name,
  count(*) AS events,
  count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied
FROM grouped
GROUP BY principal, bin_t, w, group_name
ORDER BY bin_t, principal NULLS FIRST, group_name
