-- Events that another route did not tell of though it was delivering for that HSM. Of its last quarter of an hour some may
-- still come. The two tables of a workspace are one way: a setting fills one of them.
WITH told AS (
  @told
), spans AS (
  SELECT hsm, route, min(t) AS first_t, max(t) - 900e6 AS last_t FROM told GROUP BY hsm, route
), ways AS (
  SELECT event_id, CASE WHEN route = 'azkv_audit_logs' THEN 'azure_diagnostics' ELSE route END AS way FROM told
), judged AS (
  SELECT
    *,
    coalesce(hsm, '') AS hsm_name,
    @control
  FROM events
)
SELECT
  s.route AS other_route, e.event_id, e.time, e.hsm, e.operation, e.act, e.operation_class, e.operation_status, e.effect, e.outcome,
  e.actor, e.principal, e.object_id, e.caller_ip, e.client, e.key, e.key_name, e.route, e.control
FROM judged e
JOIN spans s ON s.hsm = e.hsm_name AND e.t BETWEEN s.first_t AND s.last_t
LEFT JOIN ways o
  ON o.event_id = e.event_id AND o.way = CASE WHEN s.route = 'azkv_audit_logs' THEN 'azure_diagnostics' ELSE s.route END
WHERE o.event_id IS NULL
ORDER BY
  @order,
  s.route
