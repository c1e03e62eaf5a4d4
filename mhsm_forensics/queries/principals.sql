-- Who called. Requests without an identity (401 challenges) are a row of their own.
WITH judged AS (
  SELECT
    *,
    @control
  FROM events
)
SELECT
  principal,
  principal_type,
  object_id,
  -- a person has one application id per tool; with several none of them is the principal's
  CASE WHEN count(DISTINCT app_id) = 1 THEN max(app_id) END AS app_id,
  min(time) AS first_time,
  max(time) AS last_time,
  count(*) AS events,
  count(DISTINCT operation) AS operations,
  count(DISTINCT caller_ip) AS caller_ips,
  count(DISTINCT key_name) AS keys,
  count(DISTINCT hsm) AS hsms,
  count(DISTINCT client) AS clients,
  CAST(sum(control) AS BIGINT) AS control_events,
  count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied,
  avg(CASE WHEN outcome = 'denied' THEN 1e0 ELSE 0e0 END) AS denial_rate
FROM judged
GROUP BY principal, principal_type, object_id
ORDER BY control_events DESC, events DESC, principal NULLS LAST, principal_type NULLS LAST, object_id NULLS LAST
