-- Every record by every route. Of a case, `copies` holds those that came by another route before.
SELECT coalesce(hsm, '') AS hsm, route, record_id, t, time, event_id FROM events
UNION ALL
SELECT coalesce(hsm, '') AS hsm, route, record_id, t, time, event_id FROM copies
