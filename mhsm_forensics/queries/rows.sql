-- The events themselves, in order.
SELECT *
FROM events
ORDER BY t, tick, source_file, source_offset, source_number, event_id
