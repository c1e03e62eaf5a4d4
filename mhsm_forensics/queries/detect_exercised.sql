-- Which principal was let do what, and with which key or at which scope; each once.
SELECT coalesce(hsm, '') AS hsm_name, object_id, operation, key_name, scope, count(*) AS events
FROM events
WHERE object_id IS NOT NULL AND operation IS NOT NULL AND outcome IN ('success', 'accepted')
GROUP BY coalesce(hsm, ''), object_id, operation, key_name, scope
ORDER BY hsm_name, object_id, operation NULLS FIRST, key_name NULLS FIRST, scope NULLS FIRST
