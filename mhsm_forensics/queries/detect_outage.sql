-- How many requests of others failed in the :seconds after each restore of a whole HSM was accepted.
SELECT r.event_id, count(*) AS failed, count(DISTINCT e.actor) AS principals
FROM events r
JOIN events e ON coalesce(e.hsm, '') = coalesce(r.hsm, '') AND e.t > r.t AND e.t <= r.t + :seconds * 1e6
  AND e.outcome = 'failure' AND e.actor IS DISTINCT FROM r.actor
WHERE r.operation_class = 'hsm_restore' AND r.effect = 'destroy' AND r.outcome IN ('success', 'accepted')
GROUP BY r.event_id
ORDER BY r.event_id
