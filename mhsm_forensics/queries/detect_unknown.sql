-- Operations that nobody knows: neither their name nor their route.
SELECT event_id, time, hsm, operation, act, class_by_uri, outcome, http_status, actor, principal, object_id,
  caller_ip, client, key, key_name
FROM events
WHERE known_by = 'nothing'
ORDER BY
  @order
