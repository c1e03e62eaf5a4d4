-- What became of each key. Only what succeeded counts as done; what was asked for is read from route and status, and from the
-- calls around it. Where these leave open whether a key was deleted or imported, so does its state.
WITH readings AS (
  @readings
), steps AS (
  SELECT
    e.*,
    coalesce(r.effect, e.effect) AS did,
    CASE WHEN e.outcome IN ('success', 'accepted') THEN 1 ELSE 0 END AS done,
    CASE
      WHEN coalesce(r.act, e.act) = 'KeyDelete|KeyImport' THEN 'delete or import'
      WHEN coalesce(r.act, e.act) IN ('KeyCreate', 'KeyImport', 'ManagedHsmKeyPut') THEN 'create'
      WHEN e.effect = 'destroy' AND e.object_type = 'deleted_key' OR e.act = 'KeyPurge' THEN 'purge'
      WHEN coalesce(r.effect, e.effect) = 'destroy' AND e.object_type = 'key' OR coalesce(r.act, e.act) = 'KeyDelete' THEN 'delete'
      WHEN e.effect = 'change' AND e.object_type = 'deleted_key' OR e.act = 'KeyRecover' THEN 'recover'
      WHEN e.object_type = 'key' AND e.effect IN ('read', 'use', 'change', 'export', 'change|read') THEN 'work'
      ELSE 'other'
    END AS step
  FROM events e
  LEFT JOIN readings r ON r.event_id = e.event_id
  WHERE e.key IS NOT NULL
), keys AS (
  SELECT
    key,
    max(hsm) AS hsm,
    max(key_name) AS key_name,
    min(t) AS first_t,
    max(t) AS last_t,
    count(*) AS events,
    count(DISTINCT actor) AS principals,
    count(DISTINCT caller_ip) AS caller_ips,
    count(CASE WHEN done = 1 AND did = 'use' THEN 1 END) AS uses,
    count(CASE WHEN done = 1 AND did = 'export' THEN 1 END) AS exports,
    count(CASE WHEN done = 1 AND did IN ('change', 'destroy', 'destroy|change') THEN 1 END) AS changes,
    -- a 401 challenge opens every session and refuses nothing
    count(CASE WHEN outcome = 'denied' AND coalesce(operation_class, '') <> 'authentication' THEN 1 END) AS denied,
    count(CASE WHEN done = 1 OR (outcome = 'denied' AND coalesce(operation_class, '') <> 'authentication') THEN 1 END)
      AS answered,
    max(CASE WHEN done = 1 AND step = 'delete' THEN t END) AS deleted_t,
    max(CASE WHEN done = 1 AND step = 'purge' THEN t END) AS purged_t,
    max(CASE WHEN done = 1 AND step = 'recover' THEN t END) AS recovered_t,
    max(CASE WHEN done = 1 AND step = 'create' THEN t END) AS created_t,
    max(CASE WHEN done = 1 AND step = 'delete or import' THEN t END) AS either_t,
    max(CASE WHEN done = 1 AND step = 'work' THEN t END) AS worked_t
  FROM steps
  GROUP BY key
), ages AS (
  SELECT
    *,
    greatest(
      coalesce(recovered_t, 0),
      coalesce(created_t, 0),
      -- another region may answer for a deleted key until the change has reached it, in six minutes at most
      coalesce(worked_t, 0) - 600000000
    ) AS alive_t
  FROM keys
)
SELECT
  key,
  hsm,
  key_name,
  first_t,
  last_t,
  events,
  principals,
  caller_ips,
  uses,
  exports,
  changes,
  denied,
  deleted_t,
  purged_t,
  recovered_t,
  created_t,
  CASE
    WHEN answered = 0 THEN 'not found'
    WHEN coalesce(purged_t, 0) > alive_t THEN 'purged'
    WHEN coalesce(deleted_t, 0) > alive_t THEN 'soft-deleted'
    WHEN coalesce(either_t, 0) > alive_t THEN 'deleted or imported'
    ELSE 'active'
  END AS state
FROM ages
ORDER BY hsm NULLS FIRST, key_name
