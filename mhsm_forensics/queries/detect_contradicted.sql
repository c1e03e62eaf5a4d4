-- Calls whose name says one thing, and whose route and status say another.
SELECT event_id, time, hsm, operation, act, outcome, actor, principal, object_id, caller_ip, client, key, key_name
FROM events
WHERE known_by = 'contradiction'
ORDER BY
  @order
