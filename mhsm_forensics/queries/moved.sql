-- Who was seen only here before an instant and only there since. The two columns come out of a closed list; :since is in
-- microseconds.
WITH pairs AS (
  SELECT
    principal /* left */ AS left_value,
    caller_ip /* right */ AS right_value,
    min(t) AS first_t,
    max(t) AS last_t,
    count(CASE WHEN t < CAST(:since AS BIGINT) THEN 1 END) AS events_before,
    count(CASE WHEN t >= CAST(:since AS BIGINT) THEN 1 END) AS events_since
  FROM events
  WHERE principal /* left */ IS NOT NULL AND caller_ip /* right */ IS NOT NULL
  GROUP BY principal /* left */, caller_ip /* right */
), lists AS (
  SELECT
    left_value,
    count(CASE WHEN events_before > 0 AND events_since > 0 THEN 1 END) AS in_both,
    count(CASE WHEN events_since = 0 THEN 1 END) AS left_behind,
    count(CASE WHEN events_before = 0 THEN 1 END) AS taken_up,
    max(CASE WHEN events_since = 0 THEN last_t END) AS last_there_t,
    min(CASE WHEN events_before = 0 THEN first_t END) AS first_here_t
  FROM pairs
  GROUP BY left_value
)
SELECT p.left_value, p.right_value, p.events_before, p.events_since, p.first_t, p.last_t, l.last_there_t, l.first_here_t
FROM pairs p
JOIN lists l
  ON p.left_value = l.left_value
WHERE l.in_both = 0 AND l.left_behind > 0 AND l.taken_up > 0
ORDER BY l.first_here_t, p.left_value NULLS FIRST, p.first_t, p.right_value NULLS FIRST
