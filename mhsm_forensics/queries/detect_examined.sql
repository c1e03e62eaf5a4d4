-- What the events hold for the rules to go by: acts, names and classes, and whether any route is known.
SELECT
  act,
  operation,
  operation_class,
  CASE WHEN known_by IN ('both', 'route', 'contradiction') THEN 1 ELSE 0 END AS by_route,
  count(*) AS events,
  min(time) AS first_time,
  max(time) AS last_time
FROM events
GROUP BY act, operation, operation_class, CASE WHEN known_by IN ('both', 'route', 'contradiction') THEN 1 ELSE 0 END
ORDER BY events DESC, act NULLS FIRST, operation NULLS FIRST, operation_class NULLS FIRST, by_route
