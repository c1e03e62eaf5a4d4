-- Which principal was let do what, and with which key or at which scope; each once, with the times of the first and the last.
SELECT
  coalesce(hsm, '') AS hsm_name,
  object_id,
  act,
  key_name,
  scope,
  count(*) AS events,
  min(t) AS first_t,
  max(t) AS last_t
FROM events
WHERE object_id IS NOT NULL AND act IS NOT NULL AND outcome IN ('success', 'accepted')
GROUP BY coalesce(hsm, ''), object_id, act, key_name, scope
ORDER BY hsm_name, object_id, act, key_name NULLS FIRST, scope NULLS FIRST
