-- Every act that changes, exports or destroys, allowed or not; those that may have done so by their route, whose record leaves
-- it open; whatever else was denied or touched the security domain. A 401 that opens a session is no denial. Keys are read all
-- day long: of calls that read or changed a key, those of the first day of a principal at an address are told, and those of a
-- key that was released.
WITH readings AS (
  @readings
), narrowed AS (
  SELECT
    e.t, e.tick, e.evidence_id, e.source_offset, e.source_number, e.event_id, e.time, e.hsm, e.operation,
    coalesce(r.act, e.act) AS act, e.known_by, e.operation_class,
    coalesce(r.effect, e.effect) AS effect, e.operation_status, e.outcome, e.http_status, e.principal, e.principal_type,
    e.object_id, e.actor, e.caller_ip, e.client, e.object_type, e.key_name, e.key, e.scope, e.assignment_id,
    e.role_definition_id, e.setting, e.act AS call
  FROM events e
  LEFT JOIN readings r ON r.event_id = e.event_id
  WHERE e.operation_class = 'security_domain' OR coalesce(e.effect, 'unknown') NOT IN ('read', 'use') OR e.http_status = 201
    OR (e.outcome = 'denied' AND coalesce(e.operation_class, '') <> 'authentication')
), judged AS (
  SELECT
    *,
    @control,
    CASE WHEN act LIKE '%|%' THEN 1 ELSE 0 END AS open,
    t - min(t) OVER (PARTITION BY hsm, actor, call) AS since_first_call,
    t - min(t) OVER (PARTITION BY hsm, actor, caller_ip, act) AS since_first_there
  FROM narrowed
)
SELECT
  event_id,
  time,
  t,
  hsm,
  operation,
  act,
  known_by,
  operation_class,
  effect,
  operation_status,
  outcome,
  http_status,
  principal,
  principal_type,
  object_id,
  actor,
  caller_ip,
  client,
  object_type,
  key_name,
  key,
  scope,
  assignment_id,
  role_definition_id,
  setting,
  control,
  open,
  CASE WHEN since_first_call > 7200e6 THEN 1 ELSE 0 END AS made_before
FROM judged
WHERE control = 1
  OR operation_class = 'security_domain'
  OR (outcome = 'denied' AND coalesce(operation_class, '') <> 'authentication')
  OR (open = 1 AND outcome IN ('success', 'accepted') AND (operation_class <> 'key_read' OR since_first_there < 86400e6
    OR key IN (SELECT key FROM judged WHERE act = 'KeyRelease' AND key IS NOT NULL)))
ORDER BY
  @order
