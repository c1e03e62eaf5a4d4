-- The first events of a list of ids, as a reader wants to see them.
SELECT event_id, time, hsm, operation, outcome, http_status, principal, caller_ip, key_name, client_info
FROM events
WHERE array_contains(:event_ids, event_id)
ORDER BY t, event_id
LIMIT :most
