-- Witnesses that say something else than the event of their request, with what.
SELECT
  w.witness_id, w.route AS other_route, w.contradicts, w.says, w.instead_of,
  e.event_id, e.time, e.hsm, e.operation, e.act, e.operation_class, e.effect, e.outcome, e.actor, e.principal, e.object_id,
  e.caller_ip, e.client, e.key, e.key_name, e.route
FROM witnesses w
JOIN events e ON e.event_id = w.event_id
WHERE w.contradicts IS NOT NULL
ORDER BY e.t, e.event_id, w.witness_id
