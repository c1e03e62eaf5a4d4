-- What was denied: which operation on what, and how the service put it.
SELECT
  operation,
  hsm,
  key_name,
  scope,
  setting,
  http_status,
  result_signature,
  min(time) AS first_time,
  max(time) AS last_time,
  count(*) AS events
FROM events
WHERE outcome = 'denied'
GROUP BY operation, hsm, key_name, scope, setting, http_status, result_signature
ORDER BY
  events DESC, operation NULLS FIRST, hsm NULLS FIRST, key_name NULLS FIRST, scope NULLS FIRST, setting NULLS FIRST,
  http_status NULLS FIRST, result_signature NULLS FIRST
