SELECT
  actor,
  principal,
  object_id,
  app_id,
  caller_ip,
  token_ip,
  hsm,
  key,
  key_name,
  client,
  client_info,
  operation,
  outcome,
  min(time) AS first_time,
  max(time) AS last_time,
  count(*) AS events,
  CAST(sum(control) AS BIGINT) AS control_events
FROM (
  SELECT
    *,
    @control
  FROM events
) AS judged
GROUP BY
  actor, principal, object_id, app_id, caller_ip, token_ip, hsm, key, key_name, client, client_info, operation, outcome
