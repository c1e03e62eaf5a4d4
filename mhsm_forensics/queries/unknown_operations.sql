-- Operations whose name no source knows, with what their URIs say.
SELECT
  operation,
  class_by_uri,
  operation_status,
  count(*) AS events,
  min(time) AS first_time,
  max(time) AS last_time,
  min(request_uri) AS example_uri
FROM events
WHERE operation_status = 'unseen'
GROUP BY operation, class_by_uri, operation_status
ORDER BY min(t), operation NULLS FIRST, class_by_uri NULLS FIRST
