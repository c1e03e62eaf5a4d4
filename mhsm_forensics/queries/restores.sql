-- Full restores that were taken on, and when the HSM first answered anything else: until then it is in restore mode, in which
-- all requests to it but that for the restore's status fail. What goes through Azure Resource Manager is answered meanwhile.
WITH restored AS (
  SELECT *, coalesce(hsm, '') AS hsm_name
  FROM events
  WHERE operation_class = 'hsm_restore' AND effect = 'destroy' AND outcome IN ('success', 'accepted')
), answered AS (
  SELECT r.event_id, min(e.t) AS t
  FROM restored r
  JOIN events e ON coalesce(e.hsm, '') = r.hsm_name AND e.t > r.t
  WHERE e.outcome IN ('success', 'accepted') AND e.operation_class NOT IN ('hsm_restore', 'management', 'network')
  GROUP BY r.event_id
), ended AS (
  SELECT coalesce(hsm, '') AS hsm_name, max(t) AS t FROM events GROUP BY coalesce(hsm, '')
), spans AS (
  SELECT r.*, coalesce(a.t, z.t) AS end_t, a.t IS NOT NULL AS answered
  FROM restored r
  JOIN ended z ON z.hsm_name = r.hsm_name
  LEFT JOIN answered a ON a.event_id = r.event_id
)
SELECT
  s.hsm,
  s.t AS start_t,
  s.end_t,
  (s.end_t - s.t) / 1e6 AS seconds,
  s.answered,
  count(CASE WHEN e.outcome = 'failure' THEN 1 END) AS failed,
  count(DISTINCT CASE WHEN e.outcome = 'failure' THEN e.actor END) AS principals,
  s.operation, s.outcome, s.actor, max(s.principal) AS principal, max(s.object_id) AS object_id, s.caller_ip, s.event_id
FROM spans s
LEFT JOIN events e ON coalesce(e.hsm, '') = s.hsm_name AND e.t > s.t AND e.t <= s.end_t
GROUP BY s.hsm, s.t, s.tick, s.evidence_id, s.source_offset, s.source_number, s.event_id, s.end_t, s.answered, s.operation,
  s.outcome, s.actor, s.caller_ip
ORDER BY s.t, s.tick, s.evidence_id, s.source_offset, s.source_number, s.event_id
