-- The events themselves, in order.
SELECT *
FROM events
ORDER BY t, event_id
