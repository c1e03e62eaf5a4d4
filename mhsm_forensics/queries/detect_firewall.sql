-- Requests that the firewall of the HSM refused, and whether the same address was let in later.
WITH let_in AS (
  SELECT coalesce(hsm, '') AS hsm_name, caller_ip, max(t) AS last_t
  FROM events
  WHERE outcome IN ('success', 'accepted') AND caller_ip IS NOT NULL
  GROUP BY coalesce(hsm, ''), caller_ip
)
SELECT
  e.event_id, e.time, e.hsm, e.operation, e.act, e.outcome, e.actor, e.principal, e.object_id,
  e.caller_ip, e.client, e.key, e.key_name,
  coalesce(l.last_t > e.t, false) AS later_let_in
FROM events e
LEFT JOIN let_in l ON l.hsm_name = coalesce(e.hsm, '') AND l.caller_ip = e.caller_ip
WHERE e.outcome = 'denied' AND (lower(e.result_description) LIKE '%forbiddenbyfirewall%'
  OR lower(e.result_description) LIKE '%client address%not authorized%')
ORDER BY
  @order
