-- Events around one event that share its principal, address, token or correlation id.
WITH middle AS (
  SELECT t AS middle_t, actor AS its_actor, caller_ip AS its_ip, token_id AS its_token, correlation_id AS its_correlation
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
  actor,
  principal,
  caller_ip,
  client,
  key_name,
  coalesce(actor = its_actor, false) AS same_principal,
  coalesce(caller_ip = its_ip, false) AS same_caller_ip,
  coalesce(token_id = its_token, false) AS same_token_id,
  coalesce(correlation_id = its_correlation, false) AS same_correlation_id
FROM events
CROSS JOIN middle
WHERE
  t BETWEEN middle_t - :seconds * 1e6 AND middle_t + :seconds * 1e6
  AND (
    event_id = :event_id OR actor = its_actor OR caller_ip = its_ip OR token_id = its_token
    OR correlation_id = its_correlation
  )
ORDER BY
  @order
