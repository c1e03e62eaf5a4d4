-- Operations whose name no source knows.
SELECT event_id, time, hsm, operation, class_by_uri, outcome, http_status, actor, principal, object_id,
  caller_ip, client, key, key_name
FROM events
WHERE operation_status = 'unseen'
ORDER BY t, event_id
