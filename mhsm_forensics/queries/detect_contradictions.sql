-- Events that can't follow those before them: a key that is used though it was deleted or purged and not brought back, or
-- purged or recovered though it was in use and nobody deleted it. In the other region a change may take six minutes.
WITH steps AS (
  SELECT
    *,
    coalesce(hsm, '') AS hsm_name,
    CASE
      WHEN lower(operation) = 'keydelete' THEN 'gone'
      WHEN lower(operation) = 'keypurge' THEN 'purged'
      WHEN lower(operation) = 'keyrecover' THEN 'recovered'
      WHEN lower(operation) IN ('keycreate', 'keyimport', 'keyrestore', 'selectivekeyrestorecreate') THEN 'back'
      WHEN effect = 'use' OR lower(operation) = 'keybackup' THEN 'used'
    END AS step
  FROM events
  WHERE key IS NOT NULL AND outcome = 'success'
), ended AS (
  SELECT DISTINCT key FROM steps WHERE step IN ('gone', 'purged', 'recovered')
), told AS (
  SELECT
    s.*,
    max(CASE WHEN step IN ('gone', 'purged') THEN s.t END) OVER before AS gone_t,
    max(CASE WHEN step IN ('recovered', 'back') THEN s.t END) OVER before AS back_t,
    max(CASE WHEN step = 'used' THEN s.t END) OVER before AS used_t
  FROM steps s
  JOIN ended e ON e.key = s.key
  WHERE step IS NOT NULL
  WINDOW before AS (
    PARTITION BY s.key ORDER BY s.t, s.event_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  )
), restored AS (
  SELECT coalesce(hsm, '') AS hsm_name, min(t) AS t
  FROM events
  WHERE operation_class = 'hsm_restore' AND effect = 'destroy' AND outcome IN ('success', 'accepted')
  GROUP BY coalesce(hsm, '')
)
SELECT
  CASE WHEN step = 'used' THEN 'used after its deletion' ELSE step || ' without a deletion' END AS contradiction,
  e.event_id, e.time, e.hsm, e.operation, e.outcome, e.actor, e.principal, e.object_id,
  e.caller_ip, e.client, e.key, e.key_name
FROM told e
LEFT JOIN restored r ON r.hsm_name = e.hsm_name AND r.t < e.t
WHERE r.t IS NULL AND (
  (step = 'used' AND gone_t > coalesce(back_t, 0) AND e.t - gone_t > 360e6)
  OR (step IN ('purged', 'recovered') AND used_t > coalesce(gone_t, 0))
)
ORDER BY e.t, e.event_id
