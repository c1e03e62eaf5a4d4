-- What became of each key. Only what succeeded counts as done; names that no source knows are read from the URI.
WITH acts AS (
  SELECT
    *,
    CASE WHEN outcome IN ('success', 'accepted') THEN 1 ELSE 0 END AS done,
    CASE
      WHEN lower(operation) IN ('keycreate', 'keyimport') THEN 'create'
      WHEN lower(operation) = 'keyrecover' THEN 'recover'
      WHEN lower(operation) = 'keypurge' THEN 'purge'
      WHEN lower(operation) = 'keydelete' THEN 'delete'
      WHEN effect = 'destroy' AND object_type = 'deleted_key' THEN 'purge'
      WHEN effect = 'destroy' AND object_type = 'key' THEN 'delete'
      WHEN effect = 'change' AND object_type = 'deleted_key' THEN 'recover'
      WHEN object_type = 'key' AND effect IN ('read', 'use', 'change', 'export') THEN 'work'
      ELSE 'other'
    END AS act
  FROM events
  WHERE key IS NOT NULL
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
    count(CASE WHEN done = 1 AND effect = 'use' THEN 1 END) AS uses,
    count(CASE WHEN done = 1 AND effect = 'export' THEN 1 END) AS exports,
    count(CASE WHEN done = 1 AND effect IN ('change', 'destroy') THEN 1 END) AS changes,
    -- a 401 challenge opens every session and refuses nothing
    count(CASE WHEN outcome = 'denied' AND coalesce(operation_class, '') <> 'authentication' THEN 1 END) AS denied,
    count(CASE WHEN done = 1 OR (outcome = 'denied' AND coalesce(operation_class, '') <> 'authentication') THEN 1 END)
      AS answered,
    max(CASE WHEN done = 1 AND act = 'delete' THEN t END) AS deleted_t,
    max(CASE WHEN done = 1 AND act = 'purge' THEN t END) AS purged_t,
    max(CASE WHEN done = 1 AND act = 'recover' THEN t END) AS recovered_t,
    max(CASE WHEN done = 1 AND act = 'create' THEN t END) AS created_t,
    max(CASE WHEN done = 1 AND act = 'work' THEN t END) AS worked_t
  FROM acts
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
    ELSE 'active'
  END AS state
FROM ages
ORDER BY hsm NULLS FIRST, key_name
