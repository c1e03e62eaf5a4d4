-- Failed requests of external key management.
SELECT event_id, time, hsm, operation, act, outcome, actor, principal, object_id, caller_ip, client, key, key_name
FROM events
WHERE (act LIKE 'Ekm%' OR lower(operation) LIKE 'ekm%') AND outcome = 'failure'
ORDER BY
  @order
