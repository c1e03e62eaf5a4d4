-- Tokens that were issued to one address and used from another one.
WITH called AS (
  SELECT
    *,
    @who
  FROM events
)
SELECT
  max(actor) AS actor,
  who AS principal,
  max(object_id) AS object_id,
  token_ip,
  caller_ip,
  min(time) AS first_time,
  max(time) AS last_time,
  count(*) AS events,
  count(DISTINCT token_id) AS tokens,
  count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied
FROM called
WHERE token_ip IS NOT NULL AND caller_ip IS NOT NULL AND token_ip <> caller_ip
GROUP BY who, token_ip, caller_ip
ORDER BY min(t), who NULLS FIRST, token_ip, caller_ip NULLS FIRST
