-- Every act that changes, exports or destroys, allowed or not; whatever else was denied or touched the security domain.
-- A 401 that opens a session is no denial.
WITH judged AS (
  SELECT
    *,
    @control
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
  actor,
  principal,
  principal_type,
  object_id,
  caller_ip,
  client,
  object_type,
  key,
  key_name,
  scope,
  assignment_id,
  setting,
  control
FROM judged
WHERE control = 1
  OR operation_class = 'security_domain'
  OR (outcome = 'denied' AND coalesce(operation_class, '') <> 'authentication')
ORDER BY t, event_id
