-- What the log says of one event.
SELECT
  event_id,
  t,
  operation,
  operation_class,
  outcome,
  http_status,
  result_signature,
  result_description,
  actor,
  principal,
  principal_type,
  object_id,
  caller_ip,
  hsm,
  key,
  key_name,
  key_version,
  scope,
  request_uri,
  client_info,
  correlation_id,
  duration_ms,
  source_file,
  source_line
FROM events
WHERE event_id = :event_id
ORDER BY event_id
