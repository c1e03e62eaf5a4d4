-- Operations whose name no source knows, by who asked for them.
SELECT
  hsm,
  principal,
  object_id,
  caller_ip,
  operation,
  class_by_uri,
  min(t) AS first_t,
  max(t) AS last_t,
  count(*) AS events,
  count(CASE WHEN outcome IN ('success', 'accepted') THEN 1 END) AS done,
  array_sort(array_agg(DISTINCT key_name) FILTER (WHERE key_name IS NOT NULL)) AS keys,
  array_sort(array_agg(event_id)) AS event_ids
FROM events
WHERE operation_status = 'unseen'
GROUP BY hsm, principal, object_id, caller_ip, operation, class_by_uri
ORDER BY first_t, operation NULLS FIRST, hsm NULLS FIRST, principal NULLS FIRST, caller_ip NULLS FIRST
