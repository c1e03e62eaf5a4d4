-- Witnesses that say something else than the event of their request, with what.
WITH disputing AS (
  SELECT witness_id, event_id AS said_of, route AS other_route, contradicts, says, instead_of
  FROM witnesses
  WHERE contradicts IS NOT NULL
)
SELECT
  w.witness_id, w.other_route, w.contradicts, w.says, w.instead_of,
  e.event_id, e.time, e.hsm, e.operation, e.act, e.operation_class, e.effect, e.outcome, e.actor, e.principal, e.object_id,
  e.caller_ip, e.client, e.key, e.key_name, e.route
FROM disputing w
JOIN events e ON e.event_id = w.said_of
ORDER BY
  @order,
  w.witness_id
