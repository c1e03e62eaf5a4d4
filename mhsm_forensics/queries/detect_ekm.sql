-- Failed requests of external key management.
SELECT event_id, time, hsm, operation, outcome, actor, principal, object_id, caller_ip, client, key, key_name
FROM events
WHERE lower(operation) LIKE 'ekm%' AND outcome = 'failure'
ORDER BY t, event_id
