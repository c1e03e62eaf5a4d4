-- When each principal was first seen, and on how many days it was; with the first event of all the evidence.
SELECT
  principal,
  object_id,
  min(t) AS first_t,
  count(DISTINCT CAST(floor(t / 86400e6) AS BIGINT)) AS days,
  (SELECT min(t) FROM events) AS evidence_t
FROM events
WHERE principal IS NOT NULL
GROUP BY principal, object_id
ORDER BY first_t, principal NULLS FIRST, object_id NULLS FIRST
