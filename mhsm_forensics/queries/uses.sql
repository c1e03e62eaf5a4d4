-- Who used which token from where, and in which time.
SELECT
  max(actor) AS actor,
  max(principal) AS principal,
  object_id,
  caller_ip,
  token_ip,
  token_id,
  min(time) AS first_time,
  max(time) AS last_time,
  count(*) AS events
FROM events
WHERE object_id IS NOT NULL
GROUP BY object_id, caller_ip, token_ip, token_id
ORDER BY min(t), object_id, caller_ip NULLS FIRST, token_ip NULLS FIRST, token_id NULLS FIRST
