-- Tokens that the log names: since when, how often, how it ended; and of each, all that came with it and from where.
WITH judged AS (
  SELECT
    token_id,
    outcome,
    time,
    @control
  FROM events
  WHERE token_id IS NOT NULL
), held AS (
  SELECT
    token_id,
    min(time) AS first_time,
    max(time) AS last_time,
    count(*) AS events,
    count(CASE WHEN outcome = 'success' THEN 1 END) AS success,
    count(CASE WHEN outcome = 'accepted' THEN 1 END) AS accepted,
    count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied,
    count(CASE WHEN outcome = 'failure' THEN 1 END) AS failure,
    count(CASE WHEN outcome = 'unknown' THEN 1 END) AS unknown,
    CAST(sum(control) AS BIGINT) AS control_events
  FROM judged
  GROUP BY token_id
), anywhere AS (
  SELECT token_id, count(*) AS everywhere, min(time) AS first_anywhere, count(DISTINCT caller_ip) AS caller_ips
  FROM everything
  WHERE token_id IN (SELECT token_id FROM held)
  GROUP BY token_id
)
SELECT h.*, a.everywhere, a.first_anywhere, a.caller_ips
FROM held h
JOIN anywhere a ON a.token_id = h.token_id
ORDER BY h.events DESC, h.token_id
