-- What several have in common: addresses of several identities, identities at several addresses, and so on. The two
-- columns come out of a closed list.
WITH pairs AS (
  SELECT
    principal /* left */ AS user_value,
    caller_ip /* right */ AS shared_value,
    min(t) AS first_t,
    max(t) AS last_t,
    min(time) AS first_time,
    max(time) AS last_time,
    count(*) AS events,
    count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied
  FROM events
  WHERE principal /* left */ IS NOT NULL AND caller_ip /* right */ IS NOT NULL
  GROUP BY principal /* left */, caller_ip /* right */
), counted AS (
  SELECT *, count(*) OVER (PARTITION BY shared_value) AS users
  FROM pairs
)
SELECT shared_value, user_value, users, events, denied, first_time, last_time
FROM counted
WHERE users > 1
ORDER BY users DESC, shared_value, first_t, user_value
