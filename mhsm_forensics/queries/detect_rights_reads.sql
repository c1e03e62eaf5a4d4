-- What was read of role assignments, role definitions and settings.
SELECT event_id, time, hsm, operation, act, outcome, actor, principal, object_id, caller_ip, client, key, key_name
FROM events
WHERE effect = 'read' AND outcome = 'success' AND operation_class IN ('access_control', 'settings')
ORDER BY
  @order
