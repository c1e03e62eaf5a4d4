-- Every act that changes, exports or destroys, allowed or not; whatever else was denied or touched the security domain.
-- A 401 that opens a session is no denial.
WITH judged AS (
  SELECT
    *,
    -- control: an operation that changes, exports or destroys, or an unknown one with a status that no read returns
    CASE
      WHEN effect IN ('change', 'export', 'destroy') THEN 1
      WHEN operation_class = 'access_control' AND http_status = 201 THEN 1
      WHEN coalesce(effect, 'unknown') = 'unknown' AND http_status IN (201, 202, 204) THEN 1
      ELSE 0
    END AS control
  FROM events
)
SELECT
  event_id,
  time,
  t,
  hsm,
  operation,
  operation_class,
  effect,
  operation_status,
  outcome,
  http_status,
  principal,
  object_id,
  caller_ip,
  client,
  object_type,
  key_name,
  scope,
  setting,
  control
FROM judged
WHERE control = 1
  OR operation_class = 'security_domain'
  OR (outcome = 'denied' AND coalesce(operation_class, '') <> 'authentication')
ORDER BY t, event_id
