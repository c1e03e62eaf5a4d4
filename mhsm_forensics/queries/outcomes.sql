-- What was asked of the HSMs, and how it ended. A 202 is accepted: whether it succeeded is not in the log.
SELECT
  operation,
  operation_class,
  effect,
  operation_status,
  count(*) AS events,
  count(CASE WHEN outcome = 'success' THEN 1 END) AS success,
  count(CASE WHEN outcome = 'accepted' THEN 1 END) AS accepted,
  count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied,
  count(CASE WHEN outcome = 'failure' THEN 1 END) AS failure,
  count(CASE WHEN coalesce(outcome, 'unknown') = 'unknown' THEN 1 END) AS unknown,
  min(time) AS first_time,
  max(time) AS last_time
FROM events
GROUP BY operation, operation_class, effect, operation_status
ORDER BY events DESC, operation NULLS FIRST, operation_class NULLS FIRST, effect NULLS FIRST, operation_status NULLS FIRST
