-- The events themselves, in order.
SELECT *
FROM events
ORDER BY t, tick, evidence_id, source_offset, source_number, event_id
