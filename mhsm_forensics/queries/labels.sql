-- The labels of each actor.
SELECT DISTINCT actor, principal
FROM events
WHERE actor IS NOT NULL
ORDER BY actor, principal NULLS FIRST
