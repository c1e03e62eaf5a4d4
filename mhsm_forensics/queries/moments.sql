-- Acts that change, export or destroy, allowed or not; a run of the same act is one row.
WITH judged AS (
  SELECT
    *,
    -- control: an operation that changes, exports or destroys, or an unknown one with a status that no read returns
    CASE
      WHEN effect IN ('change', 'export', 'destroy') THEN 1
      WHEN operation_class = 'access_control' AND http_status = 201 THEN 1
      WHEN coalesce(effect, 'unknown') = 'unknown' AND http_status IN (201, 202, 204) THEN 1
      ELSE 0
    END AS control,
    -- group: what destroys is destructive and what reads is a read, whatever its class
    CASE
      WHEN effect = 'destroy' THEN 'destructive'
      WHEN operation_class = 'authentication' THEN 'other'
      WHEN effect = 'read' AND NOT (operation_class = 'access_control' AND coalesce(http_status, 0) = 201) THEN 'read'
      WHEN operation_class = 'key_read' THEN 'read'
      WHEN operation_class = 'crypto' THEN 'crypto'
      WHEN operation_class = 'key_lifecycle' THEN 'key lifecycle'
      WHEN operation_class = 'access_control' THEN 'access control'
      WHEN operation_class IN ('key_backup', 'key_release', 'hsm_backup', 'hsm_restore', 'security_domain')
        THEN 'backup / domain'
      ELSE 'other'
    END AS group_name
  FROM events
), steps AS (
  SELECT
    *,
    CASE
      WHEN t - lag(t) OVER (
        PARTITION BY hsm, principal, object_id, caller_ip, operation, operation_class, effect, outcome ORDER BY t, event_id
      ) <= 1800000000 THEN 0
      ELSE 1
    END AS starts
  FROM judged
  WHERE control = 1
), numbered AS (
  SELECT
    *,
    sum(starts) OVER (
      PARTITION BY hsm, principal, object_id, caller_ip, operation, operation_class, effect, outcome
      ORDER BY t, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS nth
  FROM steps
)
SELECT
  min(t) AS start_t,
  max(t) AS end_t,
  hsm,
  principal,
  max(principal_type) AS principal_type,
  caller_ip,
  operation,
  operation_class,
  effect,
  outcome,
  max(group_name) AS group_name,
  count(*) AS events,
  count(DISTINCT key_name) AS keys,
  array_sort(array_agg(DISTINCT key_name) FILTER (WHERE key_name IS NOT NULL)) AS key_list,
  array_sort(array_agg(event_id)) AS event_ids
FROM numbered
GROUP BY hsm, principal, object_id, caller_ip, operation, operation_class, effect, outcome, nth
ORDER BY start_t, hsm NULLS FIRST, principal NULLS FIRST, caller_ip NULLS FIRST, operation NULLS FIRST,
  outcome NULLS FIRST, min(event_id)
