-- Who called. Requests without an identity (401 challenges) are a row of their own.
WITH judged AS (
  SELECT
    *,
    @who,
    @control
  FROM events
)
SELECT
  max(actor) AS actor,
  who AS principal,
  -- one record may say less of an actor than another: a kind that is known before none
  coalesce(max(CASE WHEN principal_type <> 'unknown' THEN principal_type END), max(principal_type)) AS principal_type,
  max(object_id) AS object_id,
  -- a person has one application id per tool; with several none of them is the principal's
  CASE WHEN count(DISTINCT app_id) = 1 THEN max(app_id) END AS app_id,
  min(time) AS first_time,
  max(time) AS last_time,
  count(*) AS events,
  count(DISTINCT operation) AS operations,
  count(DISTINCT caller_ip) AS caller_ips,
  count(DISTINCT key) AS keys,
  count(DISTINCT hsm) AS hsms,
  count(DISTINCT client) AS clients,
  CAST(sum(control) AS BIGINT) AS control_events,
  count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied,
  avg(CASE WHEN outcome = 'denied' THEN 1e0 ELSE 0e0 END) AS denial_rate
FROM judged
GROUP BY who, CASE WHEN actor IS NULL THEN principal_type END
ORDER BY control_events DESC, events DESC, who NULLS LAST, principal_type NULLS LAST
