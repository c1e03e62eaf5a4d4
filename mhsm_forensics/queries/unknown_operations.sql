-- Operations whose name no source knows, or whose name and route contradict each other; with what path and status say.
SELECT
  operation,
  act,
  known_by,
  class_by_uri,
  operation_status,
  count(*) AS events,
  min(time) AS first_time,
  max(time) AS last_time,
  min(request_uri) AS example_uri
FROM events
WHERE operation_status = 'unseen' OR known_by = 'contradiction'
GROUP BY operation, act, known_by, class_by_uri, operation_status
ORDER BY min(t), operation NULLS FIRST, act NULLS FIRST, class_by_uri NULLS FIRST
