-- Events around one event that share its principal, address, token or correlation id.
WITH middle AS (
  SELECT t AS middle_t, principal AS its_principal, caller_ip AS its_ip, token_id AS its_token, correlation_id AS its_correlation
  FROM events
  WHERE event_id = :event_id
)
SELECT
  (t - middle_t) / 1e6 AS seconds,
  event_id,
  time,
  hsm,
  operation,
  outcome,
  http_status,
  principal,
  caller_ip,
  client,
  key_name,
  coalesce(principal = its_principal, false) AS same_principal,
  coalesce(caller_ip = its_ip, false) AS same_caller_ip,
  coalesce(token_id = its_token, false) AS same_token_id,
  coalesce(correlation_id = its_correlation, false) AS same_correlation_id
FROM events
CROSS JOIN middle
WHERE
  t BETWEEN middle_t - :seconds * 1e6 AND middle_t + :seconds * 1e6
  AND (event_id = :event_id OR principal = its_principal OR caller_ip = its_ip OR token_id = its_token OR correlation_id = its_correlation)
ORDER BY t, tick, source_file, source_offset, source_number, event_id
