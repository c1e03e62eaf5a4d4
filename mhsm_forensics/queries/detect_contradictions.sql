-- Events that can't follow those before them: a key that is used though it was deleted or purged and not brought back, or
-- purged or recovered though it was in use and nobody deleted it. In the other region a change may take six minutes. A restore
-- answers 202 whether or not it brings a key back, and that of a backup blob names none: both may have brought any key back.
-- So may a call that deleted or imported a key; and it may have deleted it. Where its name says nothing, so may a call on the
-- path of the key without a version, whose slash at the end would mean that it was read or updated.
WITH readings AS (
  @readings
), steps AS (
  SELECT
    e.*,
    coalesce(e.hsm, '') AS hsm_name,
    CASE
      WHEN coalesce(r.act, e.act) = 'KeyDelete|KeyImport' THEN 'either'
      WHEN e.act = 'KeyUpdate|KeyGet' AND e.known_by = 'route' AND e.key_version IS NULL THEN 'perhaps gone'
      WHEN coalesce(r.act, e.act) = 'KeyDelete' THEN 'gone'
      WHEN e.act = 'KeyPurge' THEN 'purged'
      WHEN e.act = 'KeyRecover' THEN 'recovered'
      WHEN coalesce(r.act, e.act) IN ('KeyCreate', 'KeyImport', 'KeyRestore', 'SelectiveKeyRestoreCreate', 'ManagedHsmKeyPut')
        THEN 'back'
      WHEN e.effect = 'use' OR e.act = 'KeyBackup' THEN 'used'
    END AS step
  FROM events e
  LEFT JOIN readings r ON r.event_id = e.event_id
  WHERE e.key IS NOT NULL
    AND (e.outcome = 'success' OR (e.operation_class = 'hsm_restore' AND e.outcome IN ('accepted', 'unknown')))
), ended AS (
  SELECT DISTINCT key FROM steps WHERE step IN ('gone', 'purged', 'recovered')
), told AS (
  SELECT
    s.*,
    max(CASE WHEN step IN ('gone', 'purged') THEN s.t END) OVER before AS gone_t,
    max(CASE WHEN step IN ('either', 'perhaps gone') THEN s.t END) OVER before AS either_t,
    max(CASE WHEN step IN ('recovered', 'back', 'either') THEN s.t END) OVER before AS back_t,
    max(CASE WHEN step = 'used' THEN s.t END) OVER before AS used_t
  FROM steps s
  JOIN ended e ON e.key = s.key
  WHERE step IS NOT NULL
  WINDOW before AS (
    PARTITION BY s.key
    ORDER BY
      @order
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  )
), restored AS (
  SELECT coalesce(hsm, '') AS hsm_name, t
  FROM events
  WHERE key IS NULL AND act IN ('RestoreCreate', 'KeyRestore') AND outcome IN ('success', 'accepted', 'unknown')
), odd AS (
  SELECT *, CASE WHEN step = 'used' THEN gone_t ELSE used_t END AS since_t
  FROM told
  WHERE (step = 'used' AND gone_t > coalesce(back_t, 0) AND t - gone_t > 360e6)
    OR (step IN ('purged', 'recovered') AND used_t > greatest(coalesce(gone_t, 0), coalesce(either_t, 0)))
)
SELECT
  CASE WHEN o.step = 'used' THEN 'used after its deletion' ELSE concat(o.step, ' without a deletion') END AS contradiction,
  o.event_id, o.time, o.hsm, o.operation, o.act, o.outcome, o.principal, o.object_id, o.actor, o.caller_ip, o.client,
  o.key_name, o.key
FROM odd o
WHERE NOT EXISTS (SELECT 1 FROM restored r WHERE r.hsm_name = o.hsm_name AND r.t < o.t AND r.t > o.since_t)
ORDER BY
  @order
